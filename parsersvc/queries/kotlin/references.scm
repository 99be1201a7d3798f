; Names that are no uses.
(import_header (identifier (simple_identifier) @ignore))
(import_alias (type_identifier) @ignore)
(package_header (identifier (simple_identifier) @ignore))
(value_argument . (simple_identifier) @ignore . "=")
((simple_identifier) @ignore (#eq? @ignore "it"))

; Calls.
(call_expression
  . (navigation_expression
    . (_) @receiver
    (navigation_suffix (simple_identifier) @call))
  (call_suffix (value_arguments) @arguments))
(call_expression
  . (simple_identifier) @call
  (call_suffix (value_arguments) @arguments))
(call_expression
  . (navigation_expression
    . (_) @receiver
    (navigation_suffix (simple_identifier) @call))
  (call_suffix))
(call_expression . (simple_identifier) @call (call_suffix))
; A function after the list is one argument more.
(call_suffix (value_arguments) @spread (annotated_lambda))

; Base types. What stands before a dot is none.
(user_type (type_identifier) @read . (type_identifier))
(delegation_specifier (user_type (type_identifier) @receiver . (type_identifier) @inherit))
(delegation_specifier (constructor_invocation (user_type (type_identifier) @receiver . (type_identifier) @inherit)))
(delegation_specifier (user_type (type_identifier) @inherit))
(delegation_specifier (constructor_invocation (user_type (type_identifier) @inherit)))
(explicit_delegation (user_type (type_identifier) @inherit))

; Types.
(user_type (type_identifier) @receiver . (type_identifier) @type)
((type_identifier) @type
  (#not-any-of? @type "Int" "Long" "String" "Boolean" "Double" "Float" "Unit" "Any" "Byte" "Short" "Char" "Nothing"))

; Other uses.
(navigation_expression
  . (_) @receiver
  (navigation_suffix (simple_identifier) @read))
(simple_identifier) @read

; Names that a function makes for itself.
(parameter . (simple_identifier) @local)
(class_parameter (simple_identifier) @local)
(variable_declaration . (simple_identifier) @local)
(catch_block (simple_identifier) @local)
(type_parameter (type_identifier) @local)
