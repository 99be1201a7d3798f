; Messages, enumerations and services.
(message (message_name) @name (message_body) @body) @definition.struct
(enum (enum_name) @name (enum_body) @body) @definition.enum
(service (service_name) @name "{" @body) @definition.interface
(rpc (rpc_name) @name) @definition.method
(package (full_ident) @name) @definition.module
(message_body (field (type) (identifier) @name) @definition.field)
(map_field (type) (identifier) @name) @definition.field
(oneof_field (type) (identifier) @name) @definition.field
(enum_field . (identifier) @name) @definition.constant

(comment) @comment

(import path: (string) @import.module) @import
