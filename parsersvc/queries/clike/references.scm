; What C and C++ share.

; Names that are no uses.
(preproc_def name: (identifier) @ignore)
(preproc_function_def name: (identifier) @ignore)
(preproc_params (identifier) @ignore)
(preproc_ifdef name: (identifier) @ignore)
(preproc_defined (identifier) @ignore)

; Calls.
(call_expression
  function: (field_expression argument: (_) @receiver field: (field_identifier) @call)
  arguments: (argument_list) @arguments)
(call_expression
  function: (identifier) @call
  arguments: (argument_list) @arguments)

; Types.
(type_identifier) @type

; Other uses.
(field_expression argument: (_) @receiver field: (field_identifier) @read)
(identifier) @read

; Names that a function makes for itself.
(parameter_declaration declarator: (identifier) @local)
(parameter_declaration declarator: (pointer_declarator declarator: (identifier) @local))
(parameter_declaration
  declarator: (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @local)))
(parameter_declaration declarator: (array_declarator declarator: (identifier) @local))
(parameter_declaration
  declarator: (pointer_declarator declarator: (array_declarator declarator: (identifier) @local)))
(declaration declarator: (identifier) @local)
(declaration declarator: (pointer_declarator declarator: (identifier) @local))
(declaration declarator: (array_declarator declarator: (identifier) @local))
(init_declarator declarator: (identifier) @local)
(init_declarator declarator: (pointer_declarator declarator: (identifier) @local))
(init_declarator declarator: (array_declarator declarator: (identifier) @local))
