### Discord's own words: its commands, and what only happens there.

## Names of commands and options, as they are typed: small letters, no blanks.

name-ask = ask
name-new = new
name-stop = stop
name-retry = retry
name-undo = undo
name-persona = persona
name-language = language
name-status = status
name-privacy = privacy
name-export = export
name-forget = forget
name-help = help
name-admin = admin
name-admin-pause = pause
name-admin-resume = resume
name-admin-drain = drain
name-admin-stats = stats
name-admin-allow = allow
name-admin-deny = deny
option-question = question
option-persona = persona
option-private = private
option-file = file
option-language = language
option-who = who

## What they are for: at most 100 characters.

about-question = What you want to know
about-persona = Who answers
about-private = Only you see the answer
about-file = A text file of up to 64 kB that belongs to the question
about-language = The language that I speak with you
about-who = A code that I gave somebody, an id, or a mention of a person, role or channel
about-admin-pause = Keep questions, answer none for now
about-admin-resume = Go on
about-admin-drain = Accept nothing new, answer what was accepted
about-admin-stats = Figures, without names
about-admin-allow = Admit a person, role, channel or server
about-admin-deny = Shut out a person, role, channel or server

## /help and notices

discord-help =
    Mention me, reply to me or write me a direct message, and I answer. I remember our conversation in each channel until you start a new one.

    /ask – a question, also a private one; /new – new conversation; /stop – stop the answer
    /retry – answer the last question again; /undo – take back the last question
    /persona, /language – who answers, and in which language
    /status – the line, and what is left for you
    /privacy, /export, /forget – what is kept about you

    Edit your question and I answer it again; delete it and its answer goes, too. Reply to any answer to go on from there. A menu of each message (“Apps”) lets you ask about it. What I say can be wrong; check what matters.
discord-privacy =
    Kept on the computer that runs this bot: your questions with their files and quotes, the answers, their times, your persona and language. They are read by the model there; nothing goes anywhere but here, to Discord. The person who runs this bot can read that computer's disk.
    /export gives you everything, /forget deletes it.
discord-admin-help =
    For the person who runs this bot:

    /admin pause – keep questions, answer none for now
    /admin resume – go on
    /admin drain – accept nothing new, answer what was accepted
    /admin stats – figures, without names
    /admin allow – admit a person, role, channel or server
    /admin deny – shut one out
quote-hidden = Discord does not show me the message that you reply to. To ask about it, use “Ask about this” in its menu (under “Apps”).

## Menus of a message, and the form behind the first.

menu-ask-about = Ask about this
menu-regenerate = Regenerate
form-title = Ask about this message
form-question = Your question
form-about = What it is about

## Answers that a token alone reaches

goes-on-here = Your answer goes on here…
goes-on-directly = This takes longer than Discord lets me answer here. The answer comes to you as a direct message.
cannot-go-on = This takes longer than Discord lets me answer here, and I cannot write to you directly. Please allow direct messages in the privacy settings of a server that we share, and ask again.

## How the connection can end, told to the person who runs this bot

discord-token-wrong = Discord does not know the token. Copy it again from the Bot page of the Discord developer portal.
discord-token-revoked = Discord does not know the token any more. Copy the new one from the Bot page of the Discord developer portal, and start Conch again.
discord-intent-refused = discord.message_content is on, but the Message Content Intent is not granted. Switch it on at the Bot page of the Discord developer portal, or set discord.message_content = false.
discord-shards-wanted = This bot is on so many servers that Discord wants more than one connection: set discord.shards = 0.
discord-refused = Discord refuses the connection for good. A newer Conch may help.

## What the bot is allowed, told to the person who runs it

discord-invite = Discord: invite the bot to a server with { $address }
discord-lacking = Discord: on “{ $server }” the bot lacks { $permissions } in { $channels }.
and-more = { $count } more
permission-read-messages = View Channel
permission-send-messages = Send Messages
permission-send-messages-in-threads = Send Messages in Threads
permission-read-message-history = Read Message History
permission-attach-files = Attach Files
doctor-discord-invite = Discord: on { $count ->
    [one] { $count } server
   *[other] { $count } servers
}; invite the bot with { $address }
doctor-discord-mentions = Discord: it answers mentions, replies, direct messages and commands. Threads and listed channels are read whole only with discord.message_content.
doctor-discord-channels = Discord: discord.channels are listed, but without discord.message_content nothing can be read there that does not mention the bot.
doctor-discord-channels-remedy = Switch on the Message Content Intent at the Bot page of the Discord developer portal, and set discord.message_content = true.
doctor-discord-token = Discord: the token is not known.
doctor-discord-token-remedy = Copy it again from the Bot page of the Discord developer portal.
doctor-discord-unreached = Discord cannot be reached from here: { $why }.
doctor-discord-unreached-remedy = Conch tries again by itself while it runs; look at this machine's network if that lasts.
doctor-discord-intent = Discord: discord.message_content is on, but the Message Content Intent is not granted.
doctor-discord-intent-remedy = Switch it on at the Bot page of the Discord developer portal, or set discord.message_content = false.
doctor-discord-lacking = Discord: on “{ $server }” the bot lacks { $permissions } in { $channels }.
doctor-discord-lacking-remedy = Give the bot's role these permissions there, or invite it again with the address above.
