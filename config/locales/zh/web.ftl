### 网页自己的文字。

## 对话之外

web-skip = 跳到提问框
web-conversations = 对话列表
web-menu = 显示对话列表
web-menu-close = 收起对话列表
web-new = 新对话
web-untitled = 新对话
web-none-yet = 您的对话会显示在这里。
web-rename = 重命名
web-rename-named = 重命名“{ $title }”
web-rename-label = 对话标题
web-delete = 删除
web-delete-named = 删除“{ $title }”
web-delete-sure = 要删除“{ $title }”以及其中所有的问题和回答吗？
web-save = 保存
web-cancel = 取消
web-close = 关闭
web-language = 语言
web-theme = 外观
web-theme-auto = 跟随设备
web-theme-light = 浅色
web-theme-dark = 深色

## 提问

web-question = 您的问题
web-placeholder = 想问什么就问吧……
web-persona = 由谁回答
web-send = 发送
web-stop = 停止
web-newest = 跳到最新
web-empty-title = 您想知道什么？
web-empty-text = 这里由一个模型轮流回答每个人。如果前面有人，会告诉您还有几位、大约要等多久。
web-fine-print = 模型说的不一定对，重要的内容请自行核实。
web-hint-enter = 按 Enter 发送，按 Shift + Enter 换行。
web-weak-language = 这个模型最擅长英语，中文较弱。
web-characters = { $count } / { $limit } 字符

## 对话之中

web-you = 您的提问
web-answer = 回答
web-sending = 正在发送……
web-unsent = 还没有发出去，连接恢复后会自动发送。
web-answering = 正在回答。
web-answered = 回答完毕。
web-edit = 编辑
web-edit-label = 编辑您的问题
web-edit-earlier = 这个问题之后的对话将不再显示。
web-copy = 复制
web-copy-code = 复制代码
web-copied = 已复制
web-copy-failed = 这里无法复制。
web-regenerate = 重新回答
web-proceed = 继续
web-undo = 撤回
web-undone = 已撤回，问题已放回输入框。
web-code = 代码

## 连接

web-offline = 连接不上 Conch，正在重试……
web-not-reached = 没能连上 Conch，请再试一次。
web-try-now = 立即重试
web-back = 连接已恢复。
web-crowded = Conch 在许多标签页中打开，这个页面先休息了。
web-wake = 在这里继续
web-stranger = Cookie 已丢失，Conch 不再认得这个浏览器，之前的对话无法在这里显示。
web-cookies = Conch 需要 Cookie 才能再次认出这个浏览器，请为此页面启用后刷新。

## 我的数据

web-data = 我的数据
web-data-text = 您的问题、回答和时间只为这个浏览器保存在运行 Conch 的电脑上：使用这个浏览器的人都能看到它们，运行 Conch 的人可以读取那块磁盘。除此之外不会发送到任何地方。
web-data-id = 在这里的标识
web-export = 下载全部
web-forget = 全部删除
web-forget-sure = 要永久删除您的所有对话吗？
web-forget-text = 这个浏览器的所有问题和回答都会从磁盘上抹去，无法恢复。

## 访问密钥

web-key-title = 访问密钥
web-key-text = 这个 Conch 需要访问密钥才能进入。密钥就在运行者得到的网址里。
web-key-label = 访问密钥
web-key-enter = 进入
web-key-needed = 这里需要访问密钥。
web-key-wrong = 访问密钥不对。
web-too-many-keys = 您的网络输错密钥的次数太多，请十分钟后再试。

## 其他拒绝

web-unknown-host = 这个 Conch 不认识 { $host } 这个名字。如果它由您运行，请把这个名字加到 conch.toml 的 web.hosts 或 CONCH_WEB__HOSTS 里。
web-foreign-page = 只有 Conch 自己的页面才能这样请求。
web-bad-request = 无法理解这个请求，请刷新页面。
web-too-much = 超出了一次请求能容纳的大小。
web-session-needed = 页面还没有登记，请刷新页面。
web-too-many-sessions = 您的网络新来的访客太多，请在{ $time }后再试。

## 终端

web-port-taken = { $host } 的端口 { $port } 已被占用。请结束占用它的程序，或换一个 web.port，例如 CONCH_WEB__PORT={ $other }。
web-port-forbidden = 当前系统用户不能使用 { $host } 的端口 { $port }。请把 web.port 设为 1024 以上。
web-host-unknown = 这台机器无法在 { $host } 的端口 { $port } 上接收连接。请把 web.host 设为本机的地址，例如 127.0.0.1。
