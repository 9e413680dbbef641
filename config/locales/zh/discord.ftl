### 只在 Discord 上用到的话。

name-ask = 提问
menu-ask-about = 就此提问
menu-regenerate = 重新回答
form-title = 就这条消息提问
form-question = 你的问题
form-about = 问题所指的内容

goes-on-here = 你的回答在这里继续……
goes-on-directly = 这次回答超出了 Discord 允许我在此作答的时间。回答会以私信发给你。
cannot-go-on = 这次回答超出了 Discord 允许我在此作答的时间，而我又无法给你发私信。请允许此服务器成员的私信，或者不选“私密”再问一次。

discord-token-wrong = Discord 不认识这个令牌。请从 Discord 开发者门户的 Bot 页面重新复制。
discord-token-revoked = Discord 不再接受这个令牌。请从 Discord 开发者门户的 Bot 页面复制新的令牌，然后重新启动 Conch。
discord-intent-refused = discord.message_content 已打开，但 Message Content Intent 没有获准。请在 Discord 开发者门户的 Bot 页面打开它，或者设置 discord.message_content = false。
discord-shards-wanted = 这个机器人所在的服务器太多，Discord 要求使用多个连接：请设置 discord.shards = 0。
discord-refused = Discord 彻底拒绝了连接。也许需要更新的 Conch。
