; Types and namespaces.
(class_declaration name: (identifier) @name body: (declaration_list)? @body) @definition.class
(struct_declaration name: (identifier) @name body: (declaration_list)? @body) @definition.struct
(record_declaration name: (identifier) @name body: (declaration_list)? @body) @definition.class
(interface_declaration name: (identifier) @name body: (declaration_list)? @body) @definition.interface
(enum_declaration name: (identifier) @name body: (enum_member_declaration_list) @body) @definition.enum
(delegate_declaration name: (identifier) @name parameters: (parameter_list) @parameters) @definition.type
(namespace_declaration name: (_) @name body: (declaration_list) @body) @definition.module
(file_scoped_namespace_declaration name: (_) @name) @definition.module

; Methods and what is like them.
(method_declaration
  name: (identifier) @name
  parameters: (parameter_list) @parameters
  body: (_)? @body) @definition.method
(constructor_declaration
  name: (identifier) @name
  parameters: (parameter_list) @parameters
  body: (_)? @body) @definition.method
(destructor_declaration name: (identifier) @name body: (_)? @body) @definition.method
(operator_declaration
  operator: _ @name
  parameters: (parameter_list) @parameters
  body: (_)? @body) @definition.method
(indexer_declaration "this" @name parameters: (bracketed_parameter_list) accessors: (_)? @body) @definition.method
(local_function_statement
  name: (identifier) @name
  parameters: (parameter_list) @parameters
  body: (_)? @body) @definition.function

; Fields, properties, events and constants.
((field_declaration
  (modifier) @_modifier
  (variable_declaration (variable_declarator name: (identifier) @name))) @definition.constant
  (#eq? @_modifier "const"))
(field_declaration (variable_declaration (variable_declarator name: (identifier) @name))) @definition.field
(event_field_declaration (variable_declaration (variable_declarator name: (identifier) @name))) @definition.field
(event_declaration name: (identifier) @name) @definition.field
(property_declaration
  name: (identifier) @name
  accessors: (accessor_list)? @body) @definition.field
(record_declaration (parameter_list (parameter name: (identifier) @name) @definition.field @exported))
(enum_member_declaration name: (identifier) @name) @definition.constant

; Visibility.
(_ (modifier) @_modifier
  (#any-of? @_modifier "public" "protected")) @exported
(_ (modifier) @_modifier
  (#eq? @_modifier "private")) @private

; Tests.
(method_declaration
  (attribute_list (attribute name: [(identifier) @_attribute (qualified_name name: (identifier) @_attribute)]))
  (#any-of? @_attribute "Test" "TestCase" "TestCaseSource" "Fact" "Theory" "TestMethod" "DataTestMethod")) @test

(attribute_list) @decorator

; Parameters. A method that extends a type takes its first one before the dot, or as an argument.
(parameter_list (parameter name: (identifier) @parameter)) @parameters
(parameter_list (parameter name: (identifier) @parameter.optional . "=")) @parameters
(parameter_list
  . (parameter (modifier) @_modifier name: (identifier) @parameter.optional)
  (#eq? @_modifier "this")) @parameters
(parameter_list name: (identifier) @parameter.variadic) @parameters

(comment) @comment

; Imports.
(using_directive name: (identifier)? @import.alias [(identifier) (qualified_name)] @import.module .) @import
