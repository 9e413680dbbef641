### Discord's own words: its commands, and what only happens there.

## Names of commands, as they are typed behind the slash: small letters, no blanks.

name-ask = ask

## Menus of a message, and the form behind the first.

menu-ask-about = Ask about this
menu-regenerate = Regenerate
form-title = Ask about this message
form-question = Your question
form-about = What it is about

## Answers that a token alone reaches

goes-on-here = Your answer goes on here…
goes-on-directly = This takes longer than Discord lets me answer here. The answer comes to you as a direct message.
cannot-go-on = This takes longer than Discord lets me answer here, and I cannot write to you directly. Please allow direct messages from this server's members, or ask again without “private”.

## How the connection can end, told to the person who runs this bot

discord-token-wrong = Discord does not know the token. Copy it again from the Bot page of the Discord developer portal.
discord-token-revoked = Discord does not know the token any more. Copy the new one from the Bot page of the Discord developer portal, and start Conch again.
discord-intent-refused = discord.message_content is on, but the Message Content Intent is not granted. Switch it on at the Bot page of the Discord developer portal, or set discord.message_content = false.
discord-shards-wanted = This bot is on so many servers that Discord wants more than one connection: set discord.shards = 0.
discord-refused = Discord refuses the connection for good. A newer Conch may help.
