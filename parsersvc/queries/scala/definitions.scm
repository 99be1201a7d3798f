; Types.
(class_definition name: (identifier) @name body: (template_body)? @body) @definition.class
(object_definition name: (identifier) @name body: (template_body)? @body) @definition.class
(trait_definition name: (identifier) @name body: (template_body)? @body) @definition.interface
(enum_definition name: (identifier) @name body: (enum_body) @body) @definition.enum
(package_object name: (identifier) @name body: (template_body) @body) @definition.module
(type_definition name: (type_identifier) @name) @definition.type

; Functions. Of several lists of parameters the first counts.
(function_definition
  name: [(identifier) (operator_identifier)] @name
  . (type_parameters)?
  . parameters: (parameters) @parameters
  ["=" "{"]? @body) @definition.function
(function_definition
  name: [(identifier) (operator_identifier)] @name
  !parameters
  ["=" "{"]? @body) @definition.function
(function_declaration
  name: [(identifier) (operator_identifier)] @name
  . (type_parameters)?
  . parameters: (parameters) @parameters) @definition.function
(function_declaration name: [(identifier) (operator_identifier)] @name !parameters) @definition.function

; Tests: the block of test and describe, under the name it is given.
(call_expression
  function: (call_expression
    function: (identifier) @_runner
    arguments: (arguments . (string) @name))
  arguments: (block) @body
  (#any-of? @_runner "test" "it" "describe" "they" "property")) @definition.function @test
(function_definition
  (annotation name: (type_identifier) @_annotation)
  (#eq? @_annotation "Test")) @test

; Constants, variables and fields.
(template_body [
  (val_definition pattern: (identifier) @name)
  (var_definition pattern: (identifier) @name)
  (val_declaration name: (identifier) @name)
  (var_declaration name: (identifier) @name)
] @definition.field)
(compilation_unit [
  (val_definition pattern: (identifier) @name)
  (var_definition pattern: (identifier) @name)
] @definition.variable)
(class_definition
  "case"
  class_parameters: (class_parameters (class_parameter name: (identifier) @name) @definition.field))
(class_parameter ["val" "var"] name: (identifier) @name) @definition.field
(simple_enum_case name: (identifier) @name) @definition.constant
(full_enum_case name: (identifier) @name) @definition.constant

; Visibility.
(_ (modifiers (access_modifier) @_access)
  (#match? @_access "^private")) @private

(annotation) @decorator

; Parameters.
(parameters (parameter name: (identifier) @parameter)) @parameters
(parameters (parameter name: (identifier) @parameter.optional default_value: (_))) @parameters
(parameters (parameter name: (identifier) @parameter.variadic type: (repeated_parameter_type))) @parameters

[(comment) (block_comment)] @comment

; Imports.
(import_declaration "import" . path: _+ @import.module) @import
(import_declaration (namespace_wildcard) @import.name) @import
(import_declaration (namespace_selectors [(identifier) (namespace_wildcard)] @import.name)) @import
(import_declaration
  (namespace_selectors
    (arrow_renamed_identifier name: (identifier) @import.name alias: (_) @import.name.alias))) @import
(import_declaration
  (namespace_selectors
    (as_renamed_identifier name: (identifier) @import.name alias: (_) @import.name.alias))) @import
