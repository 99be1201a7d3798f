; Names that are no uses: the shell's own words, and its numbered parameters.
(command_name (word) @ignore
  (#any-of? @ignore
    "." "source" "cd" "echo" "printf" "set" "shift" "return" "exit" "test" "[" "read" "eval" "exec" "trap" "true" "false"
    "local" "unset" "wait" "kill" "command" "type" "break" "continue" ":"))
((variable_name) @ignore (#match? @ignore "^[0-9]+$"))

; Calls.
(command name: (command_name (word) @call))

; Other uses.
(variable_name) @read

; Names that a function makes for itself.
(declaration_command
  "local"
  (variable_assignment name: (variable_name) @local))
(declaration_command
  "declare"
  (variable_assignment name: (variable_name) @local))
(declaration_command "local" (variable_name) @local)
(for_statement variable: (variable_name) @local)
