; An outline: the stages that have a name, what they begin with, and variables.
(from_instruction as: (image_alias) @name) @definition.module
(arg_instruction . name: (unquoted_string) @name) @definition.variable
(env_instruction (env_pair name: (unquoted_string) @name) @definition.variable)

(comment) @comment

(image_spec name: (image_name) @import.module) @import
