; Types.
(class_declaration name: (identifier) @name body: (class_body) @body) @definition.class
(interface_declaration name: (identifier) @name body: (interface_body) @body) @definition.interface
(annotation_type_declaration name: (identifier) @name body: (annotation_type_body) @body) @definition.interface
(enum_declaration name: (identifier) @name body: (enum_body) @body) @definition.enum
(record_declaration
  name: (identifier) @name
  parameters: (formal_parameters) @parameters
  body: (class_body) @body) @definition.class

; Methods and constructors.
(method_declaration
  name: (identifier) @name
  parameters: (formal_parameters) @parameters
  body: (block)? @body) @definition.method
(constructor_declaration
  name: (identifier) @name
  parameters: (formal_parameters) @parameters
  body: (constructor_body) @body) @definition.method
(compact_constructor_declaration
  name: (identifier) @name
  body: (block) @body) @definition.method
(annotation_type_element_declaration name: (identifier) @name) @definition.method

; Constants and fields.
(enum_constant
  name: (identifier) @name
  body: (class_body)? @body) @definition.constant
(interface_body
  (constant_declaration
    declarator: (variable_declarator name: (identifier) @name)) @definition.constant)
(class_body
  (field_declaration
    (modifiers "static" "final")
    declarator: (variable_declarator name: (identifier) @name)) @definition.constant)
(class_body
  (field_declaration
    declarator: (variable_declarator name: (identifier) @name)) @definition.field)
(enum_body_declarations
  (field_declaration
    declarator: (variable_declarator name: (identifier) @name)) @definition.field)
(record_declaration
  parameters: (formal_parameters
    (formal_parameter name: (identifier) @name) @definition.field))

; In a text that is not whole, what begins as a type or as a method is one.
(ERROR "class" . (identifier) @name @definition.class)
; Nothing but a method is void.
(ERROR (void_type) . (variable_declarator name: (identifier) @name) @definition.method)

(module_declaration name: (_) @name body: (module_body) @body) @definition.module

; Visibility.
(class_declaration (modifiers ["public" "protected"])) @exported
(interface_declaration (modifiers ["public" "protected"])) @exported
(annotation_type_declaration (modifiers ["public" "protected"])) @exported
(enum_declaration (modifiers ["public" "protected"])) @exported
(record_declaration (modifiers ["public" "protected"])) @exported
(method_declaration (modifiers ["public" "protected"])) @exported
(constructor_declaration (modifiers ["public" "protected"])) @exported
(compact_constructor_declaration (modifiers ["public" "protected"])) @exported
(field_declaration (modifiers ["public" "protected"])) @exported
; A component of a record is read by a method that is as visible as the record.
(record_declaration parameters: (formal_parameters (formal_parameter) @exported))
(method_declaration (modifiers "private")) @private

; Tests.
((method_declaration
  (modifiers [
    (marker_annotation name: (identifier) @_annotation)
    (annotation name: (identifier) @_annotation)
  ])) @test
  (#any-of? @_annotation "Test" "ParameterizedTest" "RepeatedTest" "TestFactory" "TestTemplate" "Property"))

(annotation) @decorator
(marker_annotation) @decorator

; Parameters.
(formal_parameters (formal_parameter name: (identifier) @parameter)) @parameters
(formal_parameters
  (spread_parameter (variable_declarator name: (identifier) @parameter.variadic))) @parameters

[(line_comment) (block_comment)] @comment

; Imports: the package is the module, the class or member the name.
(import_declaration
  . (scoped_identifier
    scope: (_) @import.module
    name: (identifier) @import.name) .) @import
(import_declaration
  (scoped_identifier) @import.module
  (asterisk) @import.name) @import
