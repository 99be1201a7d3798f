(class_heritage (identifier) @inherit)
(class_heritage
  (member_expression
    object: (_) @receiver
    property: (property_identifier) @inherit))
(class_heritage (call_expression function: (identifier) @call arguments: (arguments (identifier) @inherit)))

(formal_parameters (identifier) @local)
