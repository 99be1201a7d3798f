; Functions. Their parameters have no names.
(function_definition name: (word) @name body: (_) @body) @definition.function

; Variables of the script: those that are read only are constants.
(program
  (declaration_command
    "readonly"
    (variable_assignment name: (variable_name) @name)) @definition.constant)
(program
  (declaration_command
    (variable_assignment name: (variable_name) @name)) @definition.variable)
(program (variable_assignment name: (variable_name) @name) @definition.variable)

(comment) @comment

; Imports: what is read in.
(command
  name: (command_name (word) @_source)
  . argument: (_) @import.module
  (#any-of? @_source "." "source")) @import
