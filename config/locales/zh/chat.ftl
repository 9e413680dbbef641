### 回答、拒绝、等待：Conch 在聊天中说的话，与平台无关。

## 时间。其他句子以 $time 使用。

duration-seconds = { $count } 秒
duration-minutes = { $count } 分钟
duration-hours = { $count } 小时
duration-hours-minutes = { $count } 小时 { $minutes } 分钟

## 等待与回答

queued = { $ahead ->
    [0] 下一个就是您……
   *[other] 前面还有 { $ahead } 个问题……
}
queued-time = { $ahead ->
    [0] 下一个就是您，大约还要 { $time }……
   *[other] 前面还有 { $ahead } 个问题，大约 { $time }……
}
loading = 模型还在加载。您的问题已收到，加载完就会回答。
paused = 回答暂停中。您的问题已收到，恢复后就会回答。
thinking = 正在思考……
starting-over = 刚才中断了，正在重新回答……

## 回答的结束方式

stopped = 已停止。
deleted = 这个问题已删除。
edited = 问题已修改，将回答新的问题。
new = 已开始新对话，所以停止了。
expired = 等待太久，没能回答。请再问一次。
gave-up = 抱歉，这个问题试了三次都没成功。请换个说法再问。
too-long = { $limit ->
    [0] 问题太长，模型读不下。请缩短一些。
   *[other] 问题太长，模型读不下，大约只能读 { $limit } 个字符。请缩短一些。
}
too-long-in-all = 您分几条发送的内容合起来太长，无法作为一个问题。请缩短一些。
file-unreadable = 没能取得文件，所以这个问题没有回答。请重新发送。
file-not-text = 这个文件不是我能读的文本，所以这个问题没有回答。我能读 UTF-8 或 UTF-16 编码的纯文本。
engine-failed = 抱歉，模型在回答时出错了。请再试一次。
store-full = 磁盘已满，暂时无法保存任何内容。请稍后再试。
interrupted = 回答被中断了。Conch 恢复后会自动重新回答。
no-answer = 模型没有给出回答。请再试一次，或换个说法。

## 拒绝

refused = 抱歉，无法这样做。
too-long-characters = 内容太长，最多 { $limit } 个字符。
too-fast = 有点太快了，请过 { $time }再试。
budget-spent = 您今天的用量已用完，{ $time }后会恢复一些。
queue-full = 现在等待的人太多，请过几分钟再试。
queue-full-person = 您等待中的问题已达上限，请先等一个回答。
not-allowed = 抱歉，您没有使用权限。请联系机器人的管理者。
not-yours = 只有提问的人可以这样做。
not-found = 这里已经找不到它了。
nothing-to-continue = 这里没有可以继续的回答。
already-done = 这已经做过了。
still-answering = 我还在回答这个问题。请等它结束，或先停止。
shutting-down = Conch 正在关闭，请过几分钟再试。
draining = 现在暂不接受新问题，请稍后再问。
empty = 这条消息里没有问题。
failed = 抱歉，出了点问题，请再试一次。

## 回答下方的说明

left-out = 对话较长，这次回答没有读到较早的消息。
cut-by-length = 回答已达到最大长度，点“继续”可以接着写。
rest-as-file = 回答较长，完整内容在这个文件里。
rest-file-name = answer.md
answer-removed = 无法在这里显示回答。
weak-language = 提示：这个模型最擅长英语，中文较弱。重要内容请自行核对。

## 按钮

button-stop = 停止
button-regenerate = 重新生成
button-proceed = 继续
button-yes = 是
button-no = 否

## 命令说明

command-start = 打个招呼
command-ask = 提问
command-new = 开始新对话
command-reset = 开始新对话
command-stop = 停止回答
command-retry = 重新回答上一个问题
command-undo = 撤回上一个问题
command-persona = 选择由谁回答
command-language = 选择语言
command-status = 查看排队情况和剩余用量
command-privacy = 保存了您的哪些信息
command-export = 导出您的全部数据
command-forget = 删除您的全部数据
command-help = 使用方法
command-admin = 供机器人管理者使用

## 命令的答复

start =
    您好！我是运行在个人电脑上的聊天机器人，直接写下您的问题就行。
    大家共用一个模型，有时需要排一会儿队，我会一直告诉您排在第几位。

    /new 开始新对话，/stop 停止回答，/help 查看更多。
help =
    写下问题，我来回答。在您开始新对话之前，我会记得我们的对话。

    /new – 新对话
    /stop – 停止回答
    /retry – 重新回答上一个问题
    /undo – 撤回上一个问题
    /persona – 选择由谁回答
    /language – 选择语言
    /status – 排队情况和剩余用量
    /privacy – 保存了哪些信息
    /export – 导出您的全部数据
    /forget – 删除您的全部数据

    修改问题后我会重新回答。我的回答可能有误，重要内容请自行核对。
help-telegram =
    在群组里，请提及我或回复我的回答。随问题发来的文本文件我也会读。
    Telegram 不会告诉机器人消息被删除，请使用 /undo 或 /forget。
unknown-command = 没有 { $command } 这个命令。/help 会列出所有命令。
new-done = 新对话开始了。您想问什么？
nothing-to-stop = 没有正在进行的回答。
nothing-to-retry = 没有可以重新回答的问题。
undo-done = 已撤回：“{ $text }”
nothing-to-undo = 没有可以撤回的问题。
persona-now = 现在由{ $name }回答。可以改选：
persona-set = 从现在起由{ $name }回答。
persona-unknown = 没有这个角色。可选：{ $names }
language-now = 现在用中文与您交流。可以改选：
language-set = 从现在起用中文与您交流。
language-unknown = 我不会这种语言。可选：{ $names }
language-name = 中文
privacy =
    保存在这台电脑上的有：您的问题（包括附带的文件和引用的内容）、回答、时间、所选角色和语言。只有这里的模型会读取，不会传到别处。机器人的管理者可以读取磁盘。
    /export 导出全部，/forget 删除全部。
privacy-retention = { $days } 天后会自动全部删除。
export-done = 这是保存的您的全部数据：
export-nothing = 没有保存您的任何数据。
sent-privately = 内容仅供您本人查看，已发到我们的私聊中。
write-first = 内容仅供您本人查看，但我还不能给您发私信。请打开与我的私聊，点“开始”，然后在那里发送这个命令。
forget-sure = 要彻底删除您的所有对话吗？
forget-done = { $count ->
    [0] 没有可删除的内容。
   *[other] 已删除 { $count } 个问题及其回答。
}
forget-kept = 什么都没有删除。
status-line = 正在回答 { $running } 个，等待 { $waiting } 个。
status-messages = 这一分钟内您还可以发 { $left } 条消息。
status-tokens = 您今天大约还剩 { $left } 个词元。
status-persona = 角色：{ $name }

## 文件和其他类型的消息

file-read = 文件 { $name } 已全部读完。
file-read-part = 读了文件 { $name } 的前 { $percent }%，再多就放不下了。
file-too-big = 文件太大。我能读不超过 64 kB 的文本文件。
kind-unknown = 我只能读文字和文本文件。
album = 我一次只能读一个文本文件，请逐个发送。
mention-me = 我看不到这条消息的内容。请提及我，或打开回复提醒。

## 管理者

admin-only = 只有机器人的管理者可以这样做。
admin-paused = 已暂停。问题会保留并等待。
admin-resumed = 已恢复回答。
admin-draining = 不再接受新问题，已接受的会回答完。
admin-allowed = 已允许：{ $who }
admin-denied = 已禁止：{ $who }
admin-claimed = 您现在是管理者了。
admin-code-wrong = 这个代码无效。
admit-code = 我还不认识您。请把这个代码交给机器人的管理者：{ $code }
admit-group = 我还不认识这个群组。请把这个代码交给机器人的管理者：{ $code }
group-welcome = 大家好！提及 { $name } 或回复我的回答，我就会回答。更多说明见 /help。
admin-nobody = 我不认识 { $who }。请告诉我发给对方的代码，或对方的数字 ID。
admin-stats =
    正在回答：{ $running } 个（同时最多 { $slots } 个），等待：{ $waiting } 个
    用户：{ $people } 人，对话：{ $conversations } 个，问题：{ $turns } 个，尚未回答：{ $unanswered } 个
    已回答词元：{ $tokens } 个，占用磁盘：{ $megabytes } MB
admin-help =
    供机器人管理者使用：

    /admin pause – 保留问题，暂时不回答
    /admin resume – 恢复
    /admin drain – 不再接受新问题，已接受的会回答完
    /admin stats – 统计数字，不含姓名
    /admin allow – 后面加代码或 ID：允许某人或某个群组
    /admin deny – 后面加代码或 ID：禁止使用
admitted = 您现在可以使用了，直接写下您的问题就行。
