### 답변, 거절, 대기: 플랫폼과 관계없이 Conch가 대화에서 하는 말.

## 시간. 다른 문장에서 $time으로 쓰입니다.

duration-seconds = { $count }초
duration-minutes = { $count }분
duration-hours = { $count }시간
duration-hours-minutes = { $count }시간 { $minutes }분

## 대기와 답변

queued = { $ahead ->
    [0] 다음 차례입니다…
   *[other] 앞에 질문 { $ahead }개가 있어요…
}
queued-time = { $ahead ->
    [0] 다음 차례입니다. 약 { $time } 남았어요…
   *[other] 앞에 질문 { $ahead }개, 약 { $time } 남았어요…
}
loading = 모델을 불러오는 중입니다. 질문은 접수되었고, 준비되면 답해 드릴게요.
paused = 지금은 답변이 잠시 멈춰 있습니다. 질문은 접수되었고, 다시 시작되면 답해 드릴게요.
thinking = 생각 중…
starting-over = 중간에 끊겨서 처음부터 다시 답하고 있어요…

## 답변이 끝나는 방식

stopped = 중지했습니다.
deleted = 삭제된 질문입니다.
edited = 질문이 수정되어 새 질문에 답합니다.
new = 새 대화를 시작해서 중지했습니다.
expired = 너무 오래 기다리게 되어 답하지 못했습니다. 다시 질문해 주세요.
gave-up = 죄송합니다. 세 번 시도했지만 답하지 못했습니다. 질문을 조금 바꿔서 다시 해 주세요.
too-long = { $limit ->
    [0] 모델이 읽기에는 질문이 너무 깁니다. 조금 줄여 주세요.
   *[other] 모델이 읽기에는 질문이 너무 깁니다. 약 { $limit }자까지 줄여 주세요.
}
too-long-in-all = 나누어 보내신 메시지를 합치면 질문 하나로는 너무 깁니다. 조금 줄여 주세요.
file-unreadable = 파일을 받아 오지 못해서 이 질문에 답하지 못했습니다. 다시 보내 주세요.
file-not-text = 읽을 수 있는 텍스트 파일이 아니어서 이 질문에 답하지 못했습니다. UTF-8이나 UTF-16으로 된 일반 텍스트를 읽을 수 있습니다.
engine-failed = 죄송합니다. 답변 중에 모델에 문제가 생겼습니다. 다시 시도해 주세요.
store-full = 디스크가 가득 차서 지금은 아무것도 저장할 수 없습니다. 나중에 다시 시도해 주세요.
interrupted = 답변이 중단되었습니다. Conch가 다시 켜지면 자동으로 처음부터 다시 답합니다.
no-answer = 모델이 아무 답도 하지 않았습니다. 다시 시도하거나 질문을 바꿔 보세요.

## 거절

refused = 죄송하지만 할 수 없는 요청입니다.
too-long-characters = 너무 깁니다. { $limit }자까지 보내 주세요.
too-fast = 조금 빠르네요. { $time } 뒤에 다시 보내 주세요.
budget-spent = 오늘 쓸 수 있는 양을 모두 사용했습니다. { $time } 뒤에 다시 쓸 수 있어요.
queue-full = 지금 기다리는 사람이 너무 많습니다. 몇 분 뒤에 다시 시도해 주세요.
queue-full-person = 기다리는 질문이 이미 최대입니다. 먼저 답변을 기다려 주세요.
not-allowed = 죄송하지만 이곳을 사용할 권한이 없습니다. 봇 운영자에게 문의해 주세요.
not-yours = 질문한 사람만 할 수 있습니다.
not-found = 더 이상 찾을 수 없습니다.
nothing-to-continue = 이어서 쓸 답변이 없습니다.
already-done = 이미 처리했습니다.
still-answering = 아직 답변하는 중입니다. 끝날 때까지 기다리거나 중지해 주세요.
shutting-down = Conch가 종료되는 중입니다. 몇 분 뒤에 다시 시도해 주세요.
draining = 지금은 새 질문을 받지 않습니다. 나중에 다시 물어봐 주세요.
empty = 메시지에 질문이 없습니다.
failed = 죄송합니다. 문제가 생겼습니다. 다시 시도해 주세요.

## 답변 아래의 안내

left-out = 대화가 길어져 오래된 메시지는 이번 답변에 반영되지 않았습니다.
cut-by-length = 답변이 최대 길이에 이르렀습니다. ‘계속’을 누르면 이어집니다.
rest-as-file = 답변이 길어 전체를 이 파일에 담았습니다.
rest-file-name = answer.md
answer-removed = 여기에 답변을 표시할 수 없었습니다.
weak-language = 참고: 이 모델은 영어에 가장 강하고 한국어는 서툽니다. 중요한 내용은 꼭 확인해 주세요.

## 버튼

button-stop = 중지
button-regenerate = 다시 생성
button-proceed = 계속
button-yes = 예
button-no = 아니요

## 명령 설명

command-start = 인사하기
command-ask = 질문하기
command-new = 새 대화 시작
command-reset = 새 대화 시작
command-stop = 답변 중지
command-retry = 마지막 질문에 다시 답하기
command-undo = 마지막 질문 취소
command-persona = 답변할 페르소나 선택
command-language = 언어 선택
command-status = 대기 상황과 남은 사용량 보기
command-privacy = 어떤 정보가 저장되는지 보기
command-export = 저장된 내 정보 모두 받기
command-forget = 저장된 내 정보 모두 삭제
command-help = 사용 방법
command-admin = 봇 운영자용

## 명령에 대한 답

start =
    안녕하세요! 저는 개인 컴퓨터에서 돌아가는 챗봇입니다. 궁금한 것을 적어 주세요.
    모두가 모델 하나를 함께 쓰기 때문에 잠시 기다릴 수 있어요. 차례는 늘 알려 드립니다.

    /new 새 대화, /stop 답변 중지, /help 자세한 안내.
help =
    질문을 적으면 답해 드립니다. 새 대화를 시작하기 전까지는 지금까지의 대화를 기억합니다.

    /new – 새 대화
    /stop – 답변 중지
    /retry – 마지막 질문에 다시 답하기
    /undo – 마지막 질문 취소
    /persona – 페르소나 선택
    /language – 언어 선택
    /status – 대기 상황과 남은 사용량
    /privacy – 저장되는 정보
    /export – 저장된 내 정보 모두 받기
    /forget – 저장된 내 정보 모두 삭제

    질문을 수정하면 다시 답합니다. 답이 틀릴 수 있으니 중요한 내용은 확인해 주세요.
help-telegram =
    그룹에서는 저를 멘션하거나 제 답변에 답장해 주세요. 질문과 함께 보낸 텍스트 파일도 읽습니다.
    텔레그램은 메시지가 삭제되어도 봇에게 알려 주지 않습니다. /undo나 /forget을 사용해 주세요.
unknown-command = { $command } 명령은 없습니다. /help에서 목록을 볼 수 있어요.
new-done = 새 대화를 시작합니다. 무엇이 궁금하세요?
nothing-to-stop = 진행 중인 답변이 없습니다.
nothing-to-retry = 다시 답할 질문이 없습니다.
undo-done = 취소했습니다: ‘{ $text }’
nothing-to-undo = 취소할 질문이 없습니다.
persona-now = 지금 페르소나: { $name }. 바꾸려면 골라 주세요:
persona-set = 이제부터 페르소나: { $name }
persona-unknown = 그런 페르소나는 없습니다. 사용할 수 있는 페르소나: { $names }
language-now = 지금은 한국어로 안내합니다. 바꾸려면 골라 주세요:
language-set = 이제부터 한국어로 안내합니다.
language-unknown = 모르는 언어입니다. 사용할 수 있는 언어: { $names }
language-name = 한국어
privacy =
    이 컴퓨터에 질문(함께 보낸 파일과 인용한 글 포함), 답변, 시각, 선택한 페르소나와 언어가 저장됩니다. 여기 있는 모델만 읽으며 다른 곳으로 보내지 않습니다. 봇 운영자는 디스크를 볼 수 있습니다.
    /export 모두 받기, /forget 모두 삭제.
privacy-retention = { $days }일이 지나면 모두 자동으로 삭제됩니다.
export-done = 저장된 정보 전체입니다:
export-nothing = 저장된 정보가 없습니다.
sent-privately = 본인만 볼 수 있도록 개인 대화로 보냈습니다.
write-first = 본인만 볼 내용이라 개인 대화로 보내야 하는데 아직 보낼 수 없습니다. 저와의 개인 대화를 열어 ‘시작’을 누르고 거기서 명령을 다시 보내 주세요.
forget-sure = 모든 대화를 완전히 삭제할까요?
forget-done = { $count ->
    [0] 삭제할 것이 없었습니다.
   *[other] 질문과 답변 { $count }개를 삭제했습니다.
}
forget-kept = 아무것도 삭제하지 않았습니다.
status-line = 답변 중 { $running }건, 대기 { $waiting }건.
status-messages = 이번 1분 동안 메시지를 { $left }개 더 보낼 수 있습니다.
status-tokens = 오늘 약 { $left }토큰이 남았습니다.
status-persona = 페르소나: { $name }

## 파일과 다른 종류의 메시지

file-read = 파일 { $name } 전체를 읽었습니다.
file-read-part = 파일 { $name }의 앞부분 { $percent }%를 읽었습니다. 그 이상은 들어가지 않습니다.
file-too-big = 파일이 너무 큽니다. 64kB까지의 텍스트 파일을 읽을 수 있습니다.
kind-unknown = 글과 텍스트 파일만 읽을 수 있습니다.
album = 텍스트 파일은 한 번에 하나씩 읽을 수 있습니다. 따로따로 보내 주세요.
mention-me = 이 메시지의 내용을 볼 수 없습니다. 저를 멘션하거나 답장 알림을 켜 주세요.

## 운영자용

admin-only = 봇 운영자만 할 수 있습니다.
admin-paused = 멈췄습니다. 질문은 보관되어 기다립니다.
admin-resumed = 다시 답변합니다.
admin-draining = 새 질문은 받지 않고, 이미 받은 질문에는 답합니다.
admin-allowed = 허용함: { $who }
admin-denied = 차단함: { $who }
admin-claimed = 이제 운영자가 되셨습니다.
admin-code-wrong = 올바르지 않은 코드입니다.
admit-code = 아직 등록되지 않은 분입니다. 봇 운영자에게 이 코드를 알려 주세요: { $code }
admit-group = 아직 등록되지 않은 그룹입니다. 봇 운영자에게 이 코드를 알려 주세요: { $code }
group-welcome = 안녕하세요! { $name }을(를) 멘션하거나 제 답변에 답장하시면 답해 드립니다. 자세한 안내는 /help.
admin-nobody = { $who }에 해당하는 사람을 모릅니다. 그 사람이 받은 코드나 그 사람의 숫자 ID를 알려 주세요.
admin-stats =
    답변 중: { $running }건(동시에 { $slots }건까지), 대기: { $waiting }건
    사용자: { $people }명, 대화: { $conversations }개, 질문: { $turns }개, 아직 답하지 않은 질문: { $unanswered }개
    답변한 토큰: { $tokens }개, 디스크 사용: { $megabytes } MB
admin-help =
    봇 운영자용 명령:

    /admin pause – 질문은 받아 두고 답변은 잠시 멈춤
    /admin resume – 다시 시작
    /admin drain – 새 질문은 받지 않고, 받은 질문에는 답함
    /admin stats – 이름 없는 통계
    /admin allow – 코드나 ID와 함께: 사람이나 그룹을 허용
    /admin deny – 코드나 ID와 함께: 차단
admitted = 이제 사용하실 수 있습니다. 질문을 적어 주세요.
