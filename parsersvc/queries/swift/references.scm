; Names that are no uses.
(import_declaration (identifier (simple_identifier) @ignore))
(value_argument_label (simple_identifier) @ignore)
(parameter external_name: (simple_identifier) @ignore)
(enum_type_parameters (simple_identifier) @ignore)
(attribute (user_type (type_identifier) @ignore))
((simple_identifier) @ignore (#match? @ignore "^\\$[0-9]"))

; Calls.
(_
  . (_
    target: (_) @receiver
    suffix: (_ suffix: (simple_identifier) @call))
  . (_ (value_arguments) @arguments))
(_
  . (_
    target: (_) @receiver
    suffix: (_ suffix: (simple_identifier) @call))
  . (call_suffix))
(call_expression
  . (simple_identifier) @call
  . (_ (value_arguments) @arguments))
(call_expression . (simple_identifier) @call)
; A closure after the list is one argument more.
(call_suffix (value_arguments) @spread (lambda_literal))

; Base types. What stands before a dot is none.
(user_type (type_identifier) @read . (type_identifier))
(inheritance_specifier
  inherits_from: (user_type (type_identifier) @receiver . (type_identifier) @inherit))
(inheritance_specifier inherits_from: (user_type (type_identifier) @inherit))

; Types.
(user_type (type_identifier) @receiver . (type_identifier) @type)
((type_identifier) @type
  (#not-any-of? @type "Int" "String" "Bool" "Double" "Float" "Void" "Any" "AnyObject" "Self" "Character" "objc"))

; Other uses.
(_
  target: (_) @receiver
  suffix: (_ suffix: (simple_identifier) @read))
(simple_identifier) @read

; Names that a function makes for itself.
(parameter name: (simple_identifier) @local)
(lambda_parameter name: (simple_identifier) @local)
(_ bound_identifier: (simple_identifier) @local)
(type_parameter (type_identifier) @local)
