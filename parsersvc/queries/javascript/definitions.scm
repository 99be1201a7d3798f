(class_declaration
  name: (identifier) @name
  body: (class_body) @body) @definition.class
(class
  name: (identifier) @name
  body: (class_body) @body) @definition.class

; Fields; one that holds a function is a method.
(field_definition
  property: [(property_identifier) (private_property_identifier)] @name
  value: [(function_expression) (arrow_function)] @value) @definition.method
(field_definition
  property: [(property_identifier) (private_property_identifier)] @name) @definition.field

; Parameters.
(formal_parameters (identifier) @parameter) @parameters
(formal_parameters [(object_pattern) (array_pattern)] @parameter.unnamed) @parameters
(formal_parameters (assignment_pattern left: (identifier) @parameter.optional)) @parameters
(formal_parameters
  (assignment_pattern left: [(object_pattern) (array_pattern)]) @parameter.optional.unnamed) @parameters
(formal_parameters (rest_pattern (identifier) @parameter.variadic)) @parameters
(formal_parameters
  (rest_pattern [(object_pattern) (array_pattern)]) @parameter.variadic.unnamed) @parameters

; A function in upper case makes objects: the custom of the language, which its linters hold callers to (ESLint's new-cap).
; An arrow function, a generator and an async function can't. In TypeScript only classes do.
((function_declaration name: (identifier) @constructor.named) @_function
  (#match? @constructor.named "^[A-Z]")
  (#match? @_function "^function"))
(variable_declarator
  name: (identifier) @constructor.named
  value: [
    (function_expression) @_function
    (parenthesized_expression (function_expression) @_function)
    (parenthesized_expression (parenthesized_expression (function_expression) @_function))
    (new_expression constructor: (identifier) @_function)
  ]
  (#match? @constructor.named "^[A-Z]")
  (#match? @_function "^(function|Function$)"))
(assignment_expression
  left: [
    (identifier) @constructor.named
    (member_expression property: (property_identifier) @constructor.named)
  ]
  right: (function_expression) @_function
  (#match? @constructor.named "^[A-Z]")
  (#match? @_function "^function"))
; Where elements are made, what is in upper case is a component.
[(jsx_opening_element) (jsx_self_closing_element)] @markup
(call_expression
  function: (member_expression
    object: (identifier) @_react
    property: (property_identifier) @_create)
  (#eq? @_react "React")
  (#eq? @_create "createElement")) @markup
