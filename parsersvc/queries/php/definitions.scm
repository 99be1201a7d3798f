; Types.
(class_declaration name: (name) @name body: (declaration_list) @body) @definition.class
(interface_declaration name: (name) @name body: (declaration_list) @body) @definition.interface
(trait_declaration name: (name) @name body: (declaration_list) @body) @definition.interface
(enum_declaration name: (name) @name body: (enum_declaration_list) @body) @definition.enum
(namespace_definition name: (namespace_name) @name body: (compound_statement)? @body) @definition.module

; Functions and methods.
(function_definition
  name: (name) @name
  parameters: (formal_parameters) @parameters
  body: (compound_statement) @body) @definition.function
(method_declaration
  name: (name) @name
  parameters: (formal_parameters) @parameters
  body: (compound_statement)? @body) @definition.method
; A function that a variable names.
(assignment_expression
  left: (variable_name (name) @name)
  right: [
    (anonymous_function_creation_expression parameters: (formal_parameters) @parameters body: (_) @body)
    (arrow_function parameters: (formal_parameters) @parameters body: (_) @body)
  ]) @definition.function

; Constants and fields.
(const_declaration (const_element . (name) @name) @definition.constant)
(function_call_expression
  function: (name) @_define
  arguments: (arguments . (argument (string (string_content) @name)))
  (#eq? @_define "define")) @definition.constant
(enum_case name: (name) @name) @definition.constant
(property_declaration (property_element (variable_name (name) @name))) @definition.field
(property_promotion_parameter name: (variable_name (name) @name)) @definition.field

; Visibility.
(_ (visibility_modifier) @_visibility
  (#eq? @_visibility "private")) @private
; Constants of one declaration share its word.
(const_declaration (visibility_modifier) @_visibility (const_element) @private
  (#eq? @_visibility "private"))

; Tests that say so.
(method_declaration attributes: (attribute_list (attribute_group (attribute (name) @_attribute)))
  (#any-of? @_attribute "Test" "TestWith" "DataProvider")) @test
((comment) @_comment . (method_declaration) @test
  (#match? @_comment "@test\\b"))

(attribute_list) @decorator

; Parameters.
(formal_parameters (simple_parameter name: (variable_name (name) @parameter) !default_value)) @parameters
(formal_parameters (simple_parameter name: (variable_name (name) @parameter.optional) default_value: (_))) @parameters
(formal_parameters (property_promotion_parameter name: (variable_name (name) @parameter) !default_value)) @parameters
(formal_parameters (property_promotion_parameter name: (variable_name (name) @parameter.optional) default_value: (_))) @parameters
(formal_parameters (variadic_parameter name: (variable_name (name) @parameter.variadic))) @parameters

(comment) @comment

; Imports: the namespace is the module, the class, function or constant the name.
(namespace_use_declaration
  !body
  (namespace_use_clause
    (qualified_name
      (namespace_name_as_prefix (namespace_name) @import.module)
      (name) @import.name .)
    (namespace_aliasing_clause (name) @import.name.alias)?) @import)
(namespace_use_declaration (namespace_use_clause . (name) @import.module (namespace_aliasing_clause (name) @import.alias)?) @import)
(namespace_use_declaration
  (namespace_name) @import.module
  (namespace_use_group
    (namespace_use_group_clause
      (namespace_name) @import.name
      (namespace_aliasing_clause (name) @import.name.alias)?))) @import
; A file, and one beside this.
(require_once_expression [
  (string (string_content) @import.module)
  (binary_expression right: (string (string_content) @import.module))
]) @import
(require_expression [
  (string (string_content) @import.module)
  (binary_expression right: (string (string_content) @import.module))
]) @import
(include_expression (string (string_content) @import.module)) @import
(include_once_expression (string (string_content) @import.module)) @import
