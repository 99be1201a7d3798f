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
