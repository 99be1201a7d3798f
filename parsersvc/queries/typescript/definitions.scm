; Types.
(class_declaration
  name: (type_identifier) @name
  body: (class_body) @body) @definition.class
(abstract_class_declaration
  name: (type_identifier) @name
  body: (class_body) @body) @definition.class
(class
  name: (type_identifier) @name
  body: (class_body) @body) @definition.class
(interface_declaration
  name: (type_identifier) @name
  body: (_) @body) @definition.interface
(enum_declaration
  name: (identifier) @name
  body: (enum_body) @body) @definition.enum
(type_alias_declaration
  name: (type_identifier) @name) @definition.type
(internal_module
  name: [(identifier) (nested_identifier)] @name
  body: (statement_block) @body) @definition.module
(module
  name: [(identifier) (nested_identifier)] @name
  body: (statement_block) @body) @definition.module
(module
  name: (string) @name
  body: (statement_block) @body) @definition.module

; Functions and methods without a body.
(function_signature
  name: (identifier) @name
  parameters: (formal_parameters) @parameters) @definition.function
(method_signature
  name: [(property_identifier) (private_property_identifier)] @name
  parameters: (formal_parameters) @parameters) @definition.method
(abstract_method_signature
  name: [(property_identifier) (private_property_identifier)] @name
  parameters: (formal_parameters) @parameters) @definition.method

; Fields; one that holds a function is a method.
(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name
  value: [(function_expression) (arrow_function)] @value) @definition.method
(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name) @definition.field
(interface_declaration
  body: (_
    (property_signature
      name: [(property_identifier) (string)] @name) @definition.field))
(type_alias_declaration
  value: (object_type
    (property_signature
      name: [(property_identifier) (string)] @name) @definition.field))
; A parameter with an accessibility is a field too.
(method_definition
  name: (property_identifier) @_constructor
  parameters: (formal_parameters
    (required_parameter
      (accessibility_modifier)
      pattern: (identifier) @name) @definition.field)
  (#eq? @_constructor "constructor"))

(enum_body name: (property_identifier) @name @definition.constant)
(enum_body name: (string) @name @definition.constant)
(enum_body
  (enum_assignment
    name: (property_identifier) @name) @definition.constant)
(enum_body
  (enum_assignment
    name: (string) @name) @definition.constant)

; Variables of a namespace, and declared ones.
(internal_module
  body: (statement_block
    [
      (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable)
      (export_statement
        declaration: (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))
    ]))
(program
  (ambient_declaration
    [
      (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable)
      (variable_declaration (variable_declarator name: (identifier) @name) @definition.variable)
    ]))

(ambient_declaration . (_) @wrapped .) @wrapper
(expression_statement . (internal_module) @wrapped .) @wrapper

((method_definition (accessibility_modifier) @_accessibility) @private
  (#eq? @_accessibility "private"))
((public_field_definition (accessibility_modifier) @_accessibility) @private
  (#eq? @_accessibility "private"))
((abstract_method_signature (accessibility_modifier) @_accessibility) @private
  (#eq? @_accessibility "private"))

; Parameters. A rest pattern and a default stand inside required_parameter.
(formal_parameters (required_parameter pattern: (this) @parameter.receiver)) @parameters
(formal_parameters
  (required_parameter
    pattern: (rest_pattern (identifier) @parameter.variadic))) @parameters
(formal_parameters
  (required_parameter
    pattern: (rest_pattern [(object_pattern) (array_pattern)]) @parameter.variadic.unnamed)) @parameters
(formal_parameters
  (required_parameter pattern: (identifier) @parameter.optional value: (_))) @parameters
(formal_parameters
  (required_parameter
    pattern: [(object_pattern) (array_pattern)] @parameter.optional.unnamed
    value: (_))) @parameters
(formal_parameters
  (required_parameter pattern: (identifier) @parameter !value)) @parameters
(formal_parameters
  (required_parameter
    pattern: [(object_pattern) (array_pattern)] @parameter.unnamed !value)) @parameters
(formal_parameters
  (optional_parameter pattern: (identifier) @parameter.optional)) @parameters
(formal_parameters
  (optional_parameter
    pattern: [(object_pattern) (array_pattern)] @parameter.optional.unnamed)) @parameters

(import_statement
  (import_require_clause
    (identifier) @import.alias
    source: (string) @import.module)) @import
