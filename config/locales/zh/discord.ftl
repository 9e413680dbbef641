### 只在 Discord 上用到的话。

## 命令与选项的名称：小写，无空格。

name-ask = 提问
name-new = 新对话
name-stop = 停止
name-retry = 重答
name-undo = 撤回
name-persona = 角色
name-language = 语言
name-status = 状态
name-privacy = 隐私
name-export = 导出
name-forget = 删除
name-help = 帮助
name-admin = 管理
name-admin-pause = 暂停
name-admin-resume = 继续
name-admin-drain = 收尾
name-admin-stats = 统计
name-admin-allow = 允许
name-admin-deny = 屏蔽
option-question = 问题
option-persona = 角色
option-private = 私密
option-file = 文件
option-language = 语言
option-who = 对象

## 说明：最多 100 字。

about-question = 您想知道什么
about-persona = 由谁回答
about-private = 只有您能看到回答
about-file = 与问题有关的文本文件，最大 64 kB
about-language = 我用什么语言和您交谈
about-who = 我给出的代码、一个 ID，或提及某人、某身份组、某频道
about-admin-pause = 保留问题，暂不回答
about-admin-resume = 继续回答
about-admin-drain = 不再接受新问题，答完已接受的
about-admin-stats = 不含姓名的统计
about-admin-allow = 允许某人、某身份组、某频道或某服务器
about-admin-deny = 屏蔽某人、某身份组、某频道或某服务器

## /help 与通知

discord-help =
    提及我、回复我，或者给我发私信，我就会回答。在您开始新对话之前，我会记住我们在每个频道里的对话。

    /提问 – 提问，也可以私密提问；/新对话 – 开始新对话；/停止 – 停止回答
    /重答 – 重新回答上一个问题；/撤回 – 撤回上一个问题
    /角色、/语言 – 由谁回答，用什么语言
    /状态 – 排队情况和您的剩余用量
    /隐私、/导出、/删除 – 保留了哪些与您有关的内容

    编辑您的问题，我会重新回答；删除它，回答也会一并删除。回复任何一个回答，就从那里继续。在消息菜单的“APP”里可以就那条消息提问。我说的可能有错，重要的事请核实。
discord-privacy =
    保存在运行这个机器人的电脑上的有：您的问题（包括附带的文件和引用的内容）、回答、时间、所选角色和语言。只有那里的模型会读取；除了发回这里的 Discord，不会传到别处。机器人的管理者可以读取那台电脑的磁盘。
    /导出 可以得到全部，/删除 会删除全部。
discord-admin-help =
    供机器人管理者使用：

    /管理 暂停 – 保留问题，暂不回答
    /管理 继续 – 继续回答
    /管理 收尾 – 不再接受新问题，答完已接受的
    /管理 统计 – 统计数字，不含姓名
    /管理 允许 – 允许某人、某身份组、某频道或某服务器
    /管理 屏蔽 – 屏蔽某人、某身份组、某频道或某服务器
quote-hidden = Discord 不让我看到您所回复的消息。想就它提问，请在那条消息的菜单“APP”里选择“就此提问”。

menu-ask-about = 就此提问
menu-regenerate = 重新回答
form-title = 就这条消息提问
form-question = 您的问题
form-about = 问题所指的内容

goes-on-here = 您的回答在这里继续……
goes-on-directly = 这次回答超出了 Discord 允许我在此作答的时间。回答会以私信发给您。
cannot-go-on = 这次回答超出了 Discord 允许我在此作答的时间，而我又无法给您发私信。请在我们共同服务器的隐私设置里允许私信，然后再问一次。

discord-token-wrong = Discord 不认识这个令牌。请从 Discord 开发者门户的 Bot 页面重新复制。
discord-token-revoked = Discord 不再接受这个令牌。请从 Discord 开发者门户的 Bot 页面复制新的令牌，然后重新启动 Conch。
discord-intent-refused = discord.message_content 已打开，但 Message Content Intent 没有获准。请在 Discord 开发者门户的 Bot 页面打开它，或者设置 discord.message_content = false。
discord-shards-wanted = 这个机器人所在的服务器太多，Discord 要求使用多个连接：请设置 discord.shards = 0。
discord-refused = Discord 彻底拒绝了连接。也许需要更新的 Conch。

## 机器人的权限，告诉运行它的人

discord-invite = Discord：用这个地址把机器人邀请到服务器：{ $address }
discord-lacking = Discord：在“{ $server }”，机器人在 { $channels } 缺少权限：{ $permissions }。
and-more = 另外 { $count } 个
permission-read-messages = 查看频道
permission-send-messages = 发送消息
permission-send-messages-in-threads = 在子区内发送消息
permission-read-message-history = 读取消息历史记录
permission-attach-files = 附加文件
doctor-discord-invite = Discord：在 { $count } 个服务器上；邀请机器人的地址：{ $address }
doctor-discord-mentions = Discord：它会回应提及、回复、私信和命令。只有打开 discord.message_content，才能完整读取子区和列出的频道。
doctor-discord-channels = Discord：列出了 discord.channels，但没有 discord.message_content，就读不到没有提及机器人的消息。
doctor-discord-channels-remedy = 请在 Discord 开发者门户的 Bot 页面打开 Message Content Intent，并设置 discord.message_content = true。
doctor-discord-token = Discord：不认识这个令牌。
doctor-discord-token-remedy = 请从 Discord 开发者门户的 Bot 页面重新复制。
doctor-discord-unreached = 从这里连接不到 Discord：{ $why }。
doctor-discord-unreached-remedy = Conch 运行时会自行重试；如果一直如此，请检查这台机器的网络。
doctor-discord-intent = Discord：discord.message_content 已打开，但 Message Content Intent 没有获准。
doctor-discord-intent-remedy = 请在 Discord 开发者门户的 Bot 页面打开它，或者设置 discord.message_content = false。
doctor-discord-lacking = Discord：在“{ $server }”，机器人在 { $channels } 缺少权限：{ $permissions }。
doctor-discord-lacking-remedy = 请在那里给机器人的身份组这些权限，或者用上面的地址重新邀请。
