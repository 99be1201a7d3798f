(message_or_enum_type (identifier) @type .)
