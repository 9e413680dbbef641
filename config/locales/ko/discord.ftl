### Discord에서만 쓰는 말.

## 명령과 옵션의 이름: 소문자, 빈칸 없이.

name-ask = 질문
name-new = 새대화
name-stop = 중지
name-retry = 다시
name-undo = 취소
name-persona = 페르소나
name-language = 언어
name-status = 상태
name-privacy = 개인정보
name-export = 내보내기
name-forget = 삭제
name-help = 도움말
name-admin = 관리
name-admin-pause = 일시정지
name-admin-resume = 재개
name-admin-drain = 마무리
name-admin-stats = 통계
name-admin-allow = 허용
name-admin-deny = 차단
option-question = 질문
option-persona = 페르소나
option-private = 비공개
option-file = 파일
option-language = 언어
option-who = 대상

## 설명: 100자까지.

about-question = 알고 싶은 것
about-persona = 답할 페르소나
about-private = 답변이 나에게만 보입니다
about-file = 질문에 덧붙일 64 kB까지의 텍스트 파일
about-language = 제가 사용할 언어
about-who = 상대가 받은 코드, ID 또는 사람·역할·채널 멘션
about-admin-pause = 질문은 받아 두고 지금은 답하지 않습니다
about-admin-resume = 다시 답합니다
about-admin-drain = 새 질문은 받지 않고 받은 질문까지만 답합니다
about-admin-stats = 이름 없는 통계
about-admin-allow = 사람, 역할, 채널 또는 서버를 허용합니다
about-admin-deny = 사람, 역할, 채널 또는 서버를 차단합니다

## /help 및 알림

discord-help =
    저를 멘션하거나, 제 메시지에 답장하거나, 다이렉트 메시지를 보내시면 답해 드립니다. 새 대화를 시작하실 때까지 채널마다 나눈 대화를 기억합니다.

    /질문 – 질문하기(비공개도 가능), /새대화 – 새 대화, /중지 – 답변 중지
    /다시 – 마지막 질문에 다시 답하기, /취소 – 마지막 질문 되돌리기
    /페르소나, /언어 – 답하는 사람과 언어
    /상태 – 대기 줄과 남은 사용량
    /개인정보, /내보내기, /삭제 – 보관된 내용

    질문을 수정하시면 다시 답하고, 지우시면 답변도 지웁니다. 어느 답변에든 답장하시면 거기에서 이어집니다. 메시지 메뉴의 “앱”에서 그 메시지에 대해 질문하실 수 있습니다. 제 말은 틀릴 수 있으니 중요한 것은 확인해 주세요.
discord-privacy =
    이 봇이 돌아가는 컴퓨터에 질문(함께 보낸 파일과 인용한 글 포함), 답변, 시각, 선택한 페르소나와 언어가 저장됩니다. 그곳의 모델만 읽으며, 이 Discord 대화 말고는 어디로도 보내지 않습니다. 봇 운영자는 그 디스크를 볼 수 있습니다.
    /내보내기로 모두 받고, /삭제로 모두 지우실 수 있습니다.
discord-admin-help =
    봇 운영자용 명령:

    /관리 일시정지 – 질문은 받아 두고 답변은 잠시 멈춤
    /관리 재개 – 다시 시작
    /관리 마무리 – 새 질문은 받지 않고, 받은 질문에는 답함
    /관리 통계 – 이름 없는 통계
    /관리 허용 – 사람, 역할, 채널 또는 서버를 허용
    /관리 차단 – 사람, 역할, 채널 또는 서버를 차단
quote-hidden = 답장하신 메시지의 내용은 Discord가 저에게 보여 주지 않습니다. 그 메시지에 대해 질문하시려면 메시지 메뉴의 “앱”에서 “이것에 대해 질문하기”를 선택해 주세요.

menu-ask-about = 이것에 대해 질문하기
menu-regenerate = 다시 답하기
form-title = 이 메시지에 대해 질문하기
form-question = 질문
form-about = 질문의 대상

goes-on-here = 답변이 여기에서 이어집니다…
goes-on-directly = Discord가 여기에서 답할 수 있게 해 주는 시간이 지났습니다. 답변은 다이렉트 메시지로 보내 드립니다.
cannot-go-on = Discord가 여기에서 답할 수 있게 해 주는 시간이 지났는데, 다이렉트 메시지를 보낼 수 없습니다. 저와 함께 있는 서버의 개인정보 보호 설정에서 다이렉트 메시지를 허용하신 뒤 다시 질문해 주세요.

discord-token-wrong = Discord가 이 토큰을 모릅니다. Discord 개발자 포털의 Bot 페이지에서 다시 복사해 주세요.
discord-token-revoked = Discord가 이 토큰을 더 이상 받아들이지 않습니다. Discord 개발자 포털의 Bot 페이지에서 새 토큰을 복사하고 Conch를 다시 시작해 주세요.
discord-intent-refused = discord.message_content가 켜져 있지만 Message Content Intent가 허용되지 않았습니다. Discord 개발자 포털의 Bot 페이지에서 켜거나 discord.message_content = false로 설정해 주세요.
discord-shards-wanted = 이 봇이 참여한 서버가 많아 Discord가 여러 개의 연결을 요구합니다. discord.shards = 0으로 설정해 주세요.
discord-refused = Discord가 연결을 거부했습니다. 더 새로운 Conch가 필요할 수 있습니다.

## 봇의 권한, 봇을 운영하는 사람에게

discord-invite = Discord: 다음 주소로 봇을 서버에 초대하세요. { $address }
discord-lacking = Discord: “{ $server }” 서버에서 봇에게 없는 권한: { $permissions } ({ $channels })
and-more = 외 { $count }개
permission-read-messages = 채널 보기
permission-send-messages = 메시지 보내기
permission-send-messages-in-threads = 스레드에서 메시지 보내기
permission-read-message-history = 메시지 기록 보기
permission-attach-files = 파일 첨부
doctor-discord-invite = Discord: 서버 { $count }곳에 있습니다. 봇 초대 주소: { $address }
doctor-discord-mentions = Discord: 멘션, 답장, 다이렉트 메시지, 명령에 답합니다. 스레드와 지정한 채널을 모두 읽으려면 discord.message_content가 필요합니다.
doctor-discord-channels = Discord: discord.channels가 지정되어 있지만 discord.message_content가 없으면 봇을 멘션하지 않은 메시지는 읽을 수 없습니다.
doctor-discord-channels-remedy = Discord 개발자 포털의 Bot 페이지에서 Message Content Intent를 켜고 discord.message_content = true로 설정해 주세요.
doctor-discord-token = Discord: 알 수 없는 토큰입니다.
doctor-discord-token-remedy = Discord 개발자 포털의 Bot 페이지에서 다시 복사해 주세요.
doctor-discord-unreached = 여기에서 Discord에 연결할 수 없습니다: { $why }
doctor-discord-unreached-remedy = Conch가 실행되는 동안 스스로 다시 시도합니다. 계속되면 이 컴퓨터의 네트워크를 확인해 주세요.
doctor-discord-intent = Discord: discord.message_content가 켜져 있지만 Message Content Intent가 허용되지 않았습니다.
doctor-discord-intent-remedy = Discord 개발자 포털의 Bot 페이지에서 켜거나 discord.message_content = false로 설정해 주세요.
doctor-discord-lacking = Discord: “{ $server }” 서버에서 봇에게 없는 권한: { $permissions } ({ $channels })
doctor-discord-lacking-remedy = 그곳에서 봇의 역할에 이 권한을 주거나 위의 주소로 다시 초대해 주세요.
