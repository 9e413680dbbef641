"""A model's Markdown made into what each platform takes. Pure: no platform's library, no clock."""
