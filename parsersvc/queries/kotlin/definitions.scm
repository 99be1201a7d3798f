; Types.
(class_declaration
  "interface"
  (type_identifier) @name
  (class_body)? @body) @definition.interface
(class_declaration
  "enum"
  (type_identifier) @name
  (enum_class_body) @body) @definition.enum
(class_declaration
  (type_identifier) @name
  (class_body)? @body) @definition.class
(object_declaration
  (type_identifier) @name
  (class_body)? @body) @definition.class
(companion_object
  (type_identifier) @name
  (class_body)? @body) @definition.class
(type_alias . (type_identifier) @name) @definition.type
(type_alias (modifiers) . (type_identifier) @name) @definition.type

; Functions. One that extends a type belongs to it.
(function_declaration
  (user_type . (type_identifier) @container)
  "."
  (simple_identifier) @name
  (function_value_parameters) @parameters
  (function_body)? @body) @definition.method
(function_declaration
  (nullable_type (user_type . (type_identifier) @container))
  "."
  (simple_identifier) @name
  (function_value_parameters) @parameters
  (function_body)? @body) @definition.method
(function_declaration
  (simple_identifier) @name
  (function_value_parameters) @parameters
  (function_body)? @body) @definition.function
(secondary_constructor
  "constructor" @name
  (function_value_parameters) @parameters
  "{"? @body) @definition.method

; Constants, variables and fields.
(property_declaration
  (modifiers (property_modifier) @_modifier)
  (variable_declaration . (simple_identifier) @name)
  (#eq? @_modifier "const")) @definition.constant
(source_file
  (property_declaration (variable_declaration . (simple_identifier) @name)) @definition.variable)
(class_body
  (property_declaration (variable_declaration . (simple_identifier) @name)) @definition.field)
(enum_class_body
  (property_declaration (variable_declaration . (simple_identifier) @name)) @definition.field)
(class_parameter
  (binding_pattern_kind)
  (simple_identifier) @name) @definition.field
(enum_entry (simple_identifier) @name) @definition.constant

; Visibility. What is internal is seen in its module only.
(_ (modifiers (visibility_modifier) @_visibility)
  (#any-of? @_visibility "private" "internal")) @private

; Tests.
(function_declaration
  (modifiers (annotation (user_type (type_identifier) @_annotation)))
  (#any-of? @_annotation "Test" "ParameterizedTest" "RepeatedTest" "TestFactory")) @test
(function_declaration
  (modifiers (annotation (constructor_invocation (user_type (type_identifier) @_annotation))))
  (#any-of? @_annotation "Test" "ParameterizedTest" "RepeatedTest")) @test

(annotation) @decorator

; Parameters. What makes one optional stands behind it, what makes it many before.
(function_value_parameters (parameter . (simple_identifier) @parameter)) @parameters
(function_value_parameters (parameter . (simple_identifier) @parameter.optional) . "=") @parameters
(function_value_parameters
  (parameter_modifiers (parameter_modifier) @_modifier) . (parameter . (simple_identifier) @parameter.variadic)
  (#eq? @_modifier "vararg")) @parameters

[(line_comment) (multiline_comment)] @comment

; Imports.
(import_header . (identifier) @import.module) @import
(import_header (import_alias (type_identifier) @import.alias)) @import
(import_header (wildcard_import) @import.name) @import
