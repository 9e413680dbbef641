### The page's own words.

## Around the conversation

web-skip = Skip to your question
web-conversations = Conversations
web-menu = Show conversations
web-menu-close = Hide conversations
web-new = New conversation
web-untitled = New conversation
web-none-yet = Your conversations will be listed here.
web-rename = Rename
web-rename-named = Rename “{ $title }”
web-rename-label = Title of the conversation
web-delete = Delete
web-delete-named = Delete “{ $title }”
web-delete-sure = Delete “{ $title }” with all its questions and answers?
web-save = Save
web-cancel = Cancel
web-close = Close
web-language = Language
web-theme = Appearance
web-theme-auto = Device
web-theme-light = Light
web-theme-dark = Dark

## Asking

web-question = Your question
web-placeholder = Ask something…
web-persona = Who answers
web-send = Send
web-stop = Stop
web-newest = Jump to the newest
web-empty-title = What would you like to know?
web-empty-text = One model answers everybody here, in turn. If others are before you, you are told how many, and about how long it takes.
web-fine-print = What the model says can be wrong. Check what matters.
web-hint-enter = Enter sends, Shift + Enter makes a new line.
web-weak-language = The model is weak in English.
web-characters = { $count } of { $limit } characters

## In the conversation

web-you = You asked
web-answer = Answer
web-sending = Sending…
web-unsent = Not sent yet. It will be, as soon as the connection is back.
web-answering = The answer is being written.
web-answered = The answer is there.
web-edit = Edit
web-edit-label = Edit your question
web-edit-earlier = What comes after this question will no longer be shown.
web-copy = Copy
web-copy-code = Copy the code
web-copied = Copied
web-copy-failed = Copying is not possible here.
web-regenerate = Answer again
web-proceed = Continue
web-undo = Take back
web-undone = Taken back. The question is in the box again.
web-code = Code

## Connection

web-offline = No connection to Conch. Trying again…
web-not-reached = Conch could not be reached. Please try again.
web-try-now = Try now
web-back = The connection is back.
web-crowded = This page rests, because Conch is open in many tabs.
web-wake = Go on here
web-stranger = Conch does not know this browser any more: its cookie has gone. Earlier conversations cannot be shown here.
web-cookies = Conch needs cookies to know this browser again. Please allow them for this page, and reload it.

## My data

web-data = My data
web-data-text = Your questions, the answers and their times are kept on the computer that runs Conch, for this browser alone: whoever uses this browser can read them. The person who runs Conch can read its disk. Nothing goes anywhere else.
web-data-id = Known here as
web-export = Download everything
web-forget = Delete everything
web-forget-sure = Delete all your conversations for good?
web-forget-text = All questions and answers of this browser are erased from the disk. This cannot be undone.

## Access key

web-key-title = Access key
web-key-text = This Conch asks visitors for its access key. You find it in the address that the person who runs it was given.
web-key-label = Access key
web-key-enter = Enter
web-key-needed = The access key is needed here.
web-key-wrong = That is not the access key.
web-too-many-keys = Too many wrong keys from your network. Please try again in ten minutes.

## Refusals before anything else

web-unknown-host = This Conch does not know itself by the name { $host }. If you run it, add that name to web.hosts in conch.toml, or to CONCH_WEB__HOSTS.
web-foreign-page = Only Conch’s own page can ask for that.
web-bad-request = That request could not be understood. Please reload the page.
web-too-much = That is more than fits into one request.
web-session-needed = This page has not introduced itself. Please reload it.
web-too-many-sessions = Too many new visitors from your network. Please try again in { $time }.

## On the terminal

web-port-taken = Port { $port } on { $host } is in use already. End the program that uses it, or choose another one: web.port, as in CONCH_WEB__PORT={ $other }.
web-port-forbidden = Port { $port } on { $host } may not be used by this system user. Set a web.port from 1024 on.
web-host-unknown = This machine cannot listen on { $host }, port { $port }. Set web.host to one of its own addresses, such as 127.0.0.1.
