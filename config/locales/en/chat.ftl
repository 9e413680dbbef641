### Answers, refusals, waiting: what Conch says in a chat, whatever the platform.

## Time, in words. Used by other sentences as $time.

duration-seconds = { $count ->
    [one] { $count } second
   *[other] { $count } seconds
}
duration-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
duration-hours = { $count ->
    [one] { $count } hour
   *[other] { $count } hours
}
duration-hours-minutes = { $count } h { $minutes } min

## Waiting and answering

queued = { $ahead ->
    [0] You are next…
    [one] { $ahead } ahead of you…
   *[other] { $ahead } ahead of you…
}
queued-time = { $ahead ->
    [0] You are next, in about { $time }…
   *[other] { $ahead } ahead of you, about { $time }…
}
loading = The model is still loading. Your question is kept and will be answered.
paused = Answers are paused for the moment. Your question is kept and will be answered.
thinking = Thinking…
starting-over = I was interrupted and am starting over…

## How an answer can end

stopped = Stopped.
deleted = This question was deleted.
edited = The question was edited; the new one is answered instead.
new = Stopped, because a new conversation was started.
expired = This question had to wait too long and was not answered. Please ask again.
gave-up = Sorry, this question failed three times and I gave up. Please try to put it another way.
too-long = { $limit ->
    [0] This question is too long for the model. Please shorten it.
   *[other] This question is too long for the model: it may have about { $limit } characters. Please shorten it.
}
too-long-in-all = Your messages are too long together for one question. Please shorten it.
file-unreadable = The file could not be fetched, so this question was not answered. Please send it again.
file-not-text = This file is no text that I can read, so this question was not answered. I read plain text in UTF-8 or UTF-16.
engine-failed = Sorry, the model failed at this answer. Please try again.
store-full = The disk is full, so nothing more can be kept just now. Please try again later.
interrupted = The answer was interrupted. It starts over by itself when Conch is back.
no-answer = The model had nothing to say to that. Try again, or put it another way.

## Refusals

refused = Sorry, that is not possible.
too-long-characters = That is too long: at most { $limit } characters, please.
too-fast = That was a bit fast. Please try again in { $time }.
budget-spent = You have used up your share for today. More in { $time }.
queue-full = Too many people are waiting right now. Please try again in a few minutes.
queue-full-person = You already have as many questions waiting as fit. Please wait for an answer first.
not-allowed = Sorry, you are not admitted here. Ask the person who runs this bot.
not-yours = Only the person who asked can do that.
not-found = That is not here any more.
nothing-to-continue = There is nothing to continue here.
already-done = That was done already.
still-answering = I am still at this answer. Wait for its end, or stop it.
shutting-down = Conch is shutting down. Please try again in a few minutes.
draining = No new questions are accepted just now. Please ask again later.
empty = There is no question in this message.
failed = Sorry, something went wrong. Please try again.

## Notes under an answer

left-out = Older messages of this conversation no longer fit and were not read for this answer.
cut-by-length = The answer reached its greatest length. “Continue” goes on from here.
rest-as-file = The answer goes on in this file, which holds all of it.
rest-file-name = answer.md
answer-removed = The answer could not be shown here.
weak-language = A note: this model is weak in English. In doubt, check what it says.

## Buttons

button-stop = Stop
button-regenerate = Regenerate
button-proceed = Continue
button-yes = Yes
button-no = No

## Commands, as a platform's menu describes them

command-start = Say hello
command-ask = Ask a question
command-new = Start a new conversation
command-reset = Start a new conversation
command-stop = Stop the answer
command-retry = Answer the last question again
command-undo = Take back the last question
command-persona = Choose who answers
command-language = Choose the language
command-status = Show the line and what is left for you
command-privacy = What is kept about you
command-export = Get everything kept about you
command-forget = Delete everything kept about you
command-help = How this works
command-admin = For the person who runs this bot

## What commands answer

start =
    Hello! I am a chatbot that runs on one person's own computer. Just write your question.
    Everybody shares one model, so there can be a short line; I always say where you are in it.

    /new starts over, /stop stops an answer, /help tells the rest.
help =
    Write a question and I answer. I remember our conversation until you start a new one.

    /new – new conversation
    /stop – stop the answer
    /retry – answer the last question again
    /undo – take back the last question
    /persona – choose who answers
    /language – choose the language
    /status – the line, and what is left for you
    /privacy – what is kept about you
    /export – get everything kept about you
    /forget – delete everything kept about you

    Edit your question and I answer it again. What I say can be wrong; check what matters.
help-telegram =
    In a group, mention me or reply to one of my answers. A text file with a question is read as part of it.
    Telegram does not tell bots when a message is deleted: use /undo or /forget.
unknown-command = There is no command { $command }. /help lists them.
new-done = A new conversation. What do you want to know?
nothing-to-stop = No answer is running.
nothing-to-retry = There is no question to answer again.
undo-done = Taken back: “{ $text }”
nothing-to-undo = There is nothing to take back.
persona-now = { $name } answers here. Choose another:
persona-set = From now on { $name } answers here.
persona-unknown = There is no such persona. There are: { $names }
language-now = I speak English with you. Choose another:
language-set = From now on I speak English with you.
language-unknown = I do not know that language. I know: { $names }
language-name = English
privacy =
    Kept on this computer: your questions with their files and quotes, the answers, their times, your persona and language. They are read by the model here and go nowhere else. The person who runs this bot can read the disk.
    /export gives you everything, /forget deletes it.
privacy-retention = After { $days ->
    [one] { $days } day
   *[other] { $days } days
} everything is deleted by itself.
export-done = Everything kept about you:
export-nothing = Nothing is kept about you.
sent-privately = That is for you alone: I have sent it to our private chat.
write-first = That is for you alone, and I cannot write to you in private yet. Open a chat with me, press Start and give the command there.
forget-sure = Delete all your conversations for good?
forget-done = { $count ->
    [0] There was nothing to delete.
    [one] Deleted: { $count } question with its answer.
   *[other] Deleted: { $count } questions with their answers.
}
forget-kept = Nothing was deleted.
status-line = { $running ->
    [0] Nobody is being answered
    [one] { $running } answer is running
   *[other] { $running } answers are running
}, { $waiting ->
    [0] nobody is waiting.
    [one] { $waiting } is waiting.
   *[other] { $waiting } are waiting.
}
status-messages = You can send { $left ->
    [one] { $left } more message
   *[other] { $left } more messages
} this minute.
status-tokens = About { $left } tokens are left for you today.
status-persona = Persona: { $name }

## Files and other kinds of messages

file-read = I read the whole file { $name }.
file-read-part = I read the first { $percent } % of the file { $name }; more does not fit.
file-too-big = That file is too big. I read text files up to 64 kB.
kind-unknown = I can read text and text files only.
album = I can read one text file at a time. Please send them one by one.
mention-me = I cannot see the text of this message. Mention me, or leave the reply's ping on.

## The owner's words

admin-only = Only the person who runs this bot can do that.
admin-paused = Paused. Questions are kept and wait.
admin-resumed = Answering again.
admin-draining = Nothing new is accepted; what was accepted is answered.
admin-allowed = Admitted: { $who }
admin-denied = Blocked: { $who }
admin-claimed = You are the owner now.
admin-code-wrong = That code is not valid.
admit-code = I do not know you yet. Give this code to the person who runs this bot: { $code }
admit-group = I do not know this group yet. Give this code to the person who runs this bot: { $code }
group-welcome = Hello! Mention { $name } or reply to one of my answers, and I answer. /help tells the rest.
admin-nobody = I know nobody by { $who }. Give me the code that I gave them, or their numeric id.
admin-stats =
    Running: { $running } of { $slots } at once, waiting: { $waiting }
    People: { $people }, conversations: { $conversations }, questions: { $turns }, not answered yet: { $unanswered }
    Tokens answered: { $tokens }, on the disk: { $megabytes } MB
admin-help =
    For the person who runs this bot:

    /admin pause – keep questions, answer none for now
    /admin resume – go on
    /admin drain – accept nothing new, answer what was accepted
    /admin stats – figures, without names
    /admin allow – with a code or an id: admit a person or a group
    /admin deny – with a code or an id: shut them out
admitted = You are admitted now. Just write your question.
