### Discord에서만 쓰는 말.

name-ask = 질문
menu-ask-about = 이것에 대해 질문하기
menu-regenerate = 다시 답하기
form-title = 이 메시지에 대해 질문하기
form-question = 질문
form-about = 질문의 대상

goes-on-here = 답변이 여기에서 이어집니다…
goes-on-directly = Discord가 여기에서 답할 수 있게 해 주는 시간이 지났습니다. 답변은 다이렉트 메시지로 보내 드립니다.
cannot-go-on = Discord가 여기에서 답할 수 있게 해 주는 시간이 지났는데, 다이렉트 메시지를 보낼 수 없습니다. 이 서버 멤버의 다이렉트 메시지를 허용하시거나 비공개 옵션 없이 다시 질문해 주세요.

discord-token-wrong = Discord가 이 토큰을 모릅니다. Discord 개발자 포털의 Bot 페이지에서 다시 복사해 주세요.
discord-token-revoked = Discord가 이 토큰을 더 이상 받아들이지 않습니다. Discord 개발자 포털의 Bot 페이지에서 새 토큰을 복사하고 Conch를 다시 시작해 주세요.
discord-intent-refused = discord.message_content가 켜져 있지만 Message Content Intent가 허용되지 않았습니다. Discord 개발자 포털의 Bot 페이지에서 켜거나 discord.message_content = false로 설정해 주세요.
discord-shards-wanted = 이 봇이 참여한 서버가 많아 Discord가 여러 개의 연결을 요구합니다. discord.shards = 0으로 설정해 주세요.
discord-refused = Discord가 연결을 거부했습니다. 더 새로운 Conch가 필요할 수 있습니다.
