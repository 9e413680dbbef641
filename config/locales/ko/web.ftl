### 웹 페이지에만 쓰이는 말.

## 대화 바깥

web-skip = 질문 입력란으로 건너뛰기
web-conversations = 대화 목록
web-menu = 대화 목록 열기
web-menu-close = 대화 목록 닫기
web-new = 새 대화
web-untitled = 새 대화
web-none-yet = 나눈 대화가 여기에 표시됩니다.
web-rename = 이름 바꾸기
web-rename-named = “{ $title }” 이름 바꾸기
web-rename-label = 대화 제목
web-delete = 삭제
web-delete-named = “{ $title }” 삭제
web-delete-sure = “{ $title }” 대화를 질문과 답변까지 모두 삭제할까요?
web-save = 저장
web-cancel = 취소
web-close = 닫기
web-language = 언어
web-theme = 화면 모드
web-theme-auto = 기기 설정
web-theme-light = 밝게
web-theme-dark = 어둡게

## 질문하기

web-question = 질문
web-placeholder = 무엇이든 물어보세요…
web-persona = 답하는 이
web-send = 보내기
web-stop = 중지
web-newest = 맨 아래로
web-empty-title = 무엇이 궁금하세요?
web-empty-text = 모델 하나가 모두에게 차례대로 답합니다. 먼저 기다리는 사람이 있으면 몇 명인지, 얼마나 걸릴지 알려 드립니다.
web-fine-print = 모델의 답은 틀릴 수 있습니다. 중요한 내용은 꼭 확인하세요.
web-hint-enter = Enter로 보내고, Shift + Enter로 줄을 바꿉니다.
web-weak-language = 이 모델은 영어에 가장 강하고 한국어는 서툴 수 있습니다.
web-characters = { $limit }자 중 { $count }자

## 대화 안

web-you = 내 질문
web-answer = 답변
web-sending = 보내는 중…
web-unsent = 아직 보내지 못했습니다. 연결되는 대로 보냅니다.
web-answering = 답변을 쓰고 있습니다.
web-answered = 답변이 끝났습니다.
web-edit = 고치기
web-edit-label = 질문 고치기
web-edit-earlier = 이 질문 다음에 나눈 대화는 더 이상 표시되지 않습니다.
web-copy = 복사
web-copy-code = 코드 복사
web-copied = 복사했습니다
web-copy-failed = 여기서는 복사할 수 없습니다.
web-regenerate = 다시 답하기
web-proceed = 계속
web-undo = 되돌리기
web-undone = 되돌렸습니다. 질문을 입력란에 다시 넣었습니다.
web-code = 코드

## 연결

web-offline = Conch에 연결할 수 없습니다. 다시 시도하는 중…
web-not-reached = Conch에 연결하지 못했습니다. 다시 시도해 주세요.
web-try-now = 지금 다시 시도
web-back = 다시 연결되었습니다.
web-crowded = Conch가 여러 탭에 열려 있어 이 페이지는 쉬고 있습니다.
web-wake = 여기서 계속하기
web-stranger = 쿠키가 없어져 Conch가 이 브라우저를 더는 알아보지 못합니다. 이전 대화는 여기에 표시할 수 없습니다.
web-cookies = Conch가 이 브라우저를 다시 알아보려면 쿠키가 필요합니다. 이 페이지의 쿠키를 허용한 뒤 새로 고쳐 주세요.

## 내 데이터

web-data = 내 데이터
web-data-text = 질문과 답변, 그 시각은 Conch가 실행되는 컴퓨터에 이 브라우저 몫으로만 보관됩니다. 이 브라우저를 쓰는 사람은 누구나 읽을 수 있고, Conch 운영자는 그 디스크를 읽을 수 있습니다. 다른 곳으로는 보내지 않습니다.
web-data-id = 여기서 쓰이는 식별자
web-export = 모두 내려받기
web-forget = 모두 삭제
web-forget-sure = 모든 대화를 완전히 삭제할까요?
web-forget-text = 이 브라우저의 모든 질문과 답변이 디스크에서 지워집니다. 되돌릴 수 없습니다.

## 접속 키

web-key-title = 접속 키
web-key-text = 이 Conch에 들어오려면 접속 키가 필요합니다. 운영자가 받은 주소에 들어 있습니다.
web-key-label = 접속 키
web-key-enter = 들어가기
web-key-needed = 접속 키가 필요합니다.
web-key-wrong = 접속 키가 맞지 않습니다.
web-too-many-keys = 이 네트워크에서 틀린 키를 너무 많이 입력했습니다. 10분 뒤에 다시 시도해 주세요.

## 그 밖의 거절

web-unknown-host = 이 Conch는 { $host }(이)라는 이름을 모릅니다. 운영자라면 conch.toml의 web.hosts나 CONCH_WEB__HOSTS에 그 이름을 추가하세요.
web-foreign-page = Conch 페이지에서만 할 수 있는 요청입니다.
web-bad-request = 요청을 이해하지 못했습니다. 페이지를 새로 고쳐 주세요.
web-too-much = 한 번에 보낼 수 있는 양을 넘었습니다.
web-session-needed = 페이지 정보가 확인되지 않았습니다. 새로 고쳐 주세요.
web-too-many-sessions = 이 네트워크에서 새로 들어온 방문자가 너무 많습니다. { $time } 뒤에 다시 시도해 주세요.

## 터미널

web-port-taken = { $host }의 { $port }번 포트는 이미 쓰이고 있습니다. 그 프로그램을 끝내거나 web.port를 다른 값으로 정하세요(예: CONCH_WEB__PORT={ $other }).
web-port-forbidden = 이 시스템 사용자는 { $host }의 { $port }번 포트를 쓸 수 없습니다. web.port를 1024 이상으로 정하세요.
web-host-unknown = 이 컴퓨터는 { $host }의 { $port }번 포트에서 접속을 받을 수 없습니다. web.host를 127.0.0.1처럼 이 컴퓨터의 주소로 정하세요.
