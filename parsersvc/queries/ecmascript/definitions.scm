; What JavaScript, TypeScript and TSX share.

; Functions.
(function_declaration
  name: (identifier) @name
  parameters: (formal_parameters) @parameters
  body: (statement_block) @body) @definition.function
(generator_function_declaration
  name: (identifier) @name
  parameters: (formal_parameters) @parameters
  body: (statement_block) @body) @definition.function
(function_expression
  name: (identifier) @name
  parameters: (formal_parameters) @parameters
  body: (statement_block) @body) @definition.function
(generator_function
  name: (identifier) @name
  parameters: (formal_parameters) @parameters
  body: (statement_block) @body) @definition.function

; What functions without a name of their own have. What names one captures it as its value.
(function_expression
  parameters: (formal_parameters) @parameters
  body: (statement_block) @body) @function
(generator_function
  parameters: (formal_parameters) @parameters
  body: (statement_block) @body) @function
(arrow_function
  parameters: (formal_parameters) @parameters
  "=>" @body) @function
(arrow_function
  parameter: (identifier) @parameter
  "=>" @body) @function

; A function that a variable names.
(variable_declarator
  name: (identifier) @name
  value: [(function_expression) (generator_function) (arrow_function)] @value) @definition.function
(variable_declarator
  name: (identifier) @name
  value: (parenthesized_expression
    [(function_expression) (arrow_function)] @value)) @definition.function
(variable_declarator
  name: (identifier) @name
  value: (parenthesized_expression
    (parenthesized_expression (function_expression) @value))) @definition.function
; A function that is made from text.
(variable_declarator
  name: (identifier) @name
  value: (new_expression constructor: (identifier) @_function)
  (#eq? @_function "Function")) @definition.function
; A function wrapped once, as in memo(() => …) or forwardRef(function …): what is called is not the inner one, so its
; arity is not known.
(variable_declarator
  name: (identifier) @name
  value: (call_expression
    arguments: (arguments . [(function_expression) (arrow_function)] @value.wrapped))
  (#match? @name "^[A-Z]")) @definition.function

; A function assigned to a name or to a property.
(assignment_expression
  left: (identifier) @name
  right: [(function_expression) (generator_function) (arrow_function)] @value) @definition.function
(assignment_expression
  left: (member_expression
    object: (member_expression
      object: [
        (identifier) @container @constructor
        (member_expression property: (property_identifier) @container @constructor)
      ]
      property: (property_identifier) @_prototype)
    property: (property_identifier) @name)
  right: [(function_expression) (generator_function) (arrow_function) (identifier) (member_expression)] @value
  (#eq? @_prototype "prototype")) @definition.method
; One function under several names.
(assignment_expression
  left: (member_expression
    object: (member_expression
      object: (identifier) @container @constructor
      property: (property_identifier) @_prototype)
    property: (property_identifier) @name)
  right: (assignment_expression
    right: [
      (function_expression) @value
      (arrow_function) @value
      (assignment_expression right: [(function_expression) (arrow_function)] @value)
    ])
  (#eq? @_prototype "prototype")) @definition.method
(assignment_expression
  left: (member_expression
    object: (this)
    property: [(property_identifier) (private_property_identifier)] @name)
  right: [(function_expression) (generator_function) (arrow_function)] @value) @definition.method
(assignment_expression
  left: (member_expression property: (property_identifier) @name)
  right: [(function_expression) (generator_function) (arrow_function)] @value
  (#not-eq? @name "prototype")) @definition.function
; A function that gives this a property, has a prototype or is called by new makes objects: a class by another name.
(assignment_expression
  left: (member_expression object: (this) @constructor.here))
(new_expression
  constructor: (identifier) @constructor
  (#match? @constructor "^[A-Z]"))
(new_expression
  constructor: (member_expression property: (property_identifier) @constructor)
  (#match? @constructor "^[A-Z]"))
(assignment_expression
  left: (member_expression
    object: (identifier) @constructor
    property: (property_identifier) @_prototype)
  (#eq? @_prototype "prototype"))

; Functions in an object.
(pair
  key: [(property_identifier) (private_property_identifier) (string)] @name
  value: [(function_expression) (generator_function) (arrow_function)] @value) @definition.method

; Methods.
(method_definition
  name: [(property_identifier) (private_property_identifier) (number)] @name
  parameters: (formal_parameters) @parameters
  body: (statement_block) @body) @definition.method
(method_definition
  name: [
    (string) @name
    (computed_property_name (string) @name)
  ]
  parameters: (formal_parameters) @parameters
  body: (statement_block) @body) @definition.method

(method_definition
  name: (computed_property_name) @name
  parameters: (formal_parameters) @parameters
  body: (statement_block) @body
  (#not-match? @name "^\\[\\s*[\"'`]")) @definition.method

; Classes that a variable or an assignment names.
(variable_declarator
  name: (identifier) @name
  value: (class body: (class_body) @body)) @definition.class
(assignment_expression
  left: [
    (identifier) @name
    (member_expression property: (property_identifier) @name)
  ]
  right: (class body: (class_body) @body)) @definition.class

; An object that becomes a prototype is the body of a class, whose name may stand in another file.
(assignment_expression
  left: (member_expression
    object: (identifier) @name
    property: (property_identifier) @_prototype)
  right: (object) @body
  (#eq? @_prototype "prototype")) @definition.class @elsewhere

; The nameless default export.
(export_statement
  "default" @name
  value: [(function_expression !name) (generator_function !name) (arrow_function)] @value) @definition.function @exported
(export_statement
  "default" @name
  value: (class !name body: (class_body) @body)) @definition.class @exported

; Tests: the callback of it, test and describe, under the name it is given.
((call_expression
  function: [
    (identifier) @_runner
    (member_expression object: (identifier) @_runner)
    (call_expression function: (member_expression object: (identifier) @_runner))
  ]
  arguments: (arguments
    . (string) @name
    [(arrow_function) (function_expression)] @value.wrapped)) @definition.function @test
  (#any-of? @_runner "it" "test" "describe" "context" "specify" "suite"))

; Variables of the module.
(program
  (lexical_declaration
    kind: "const"
    (variable_declarator name: (identifier) @name) @definition.constant))
(program
  [
    (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable)
    (variable_declaration (variable_declarator name: (identifier) @name) @definition.variable)
  ])
(program
  (export_statement
    declaration: (lexical_declaration
      kind: "const"
      (variable_declarator name: (identifier) @name) @definition.constant)))
(program
  (export_statement
    declaration: [
      (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable)
      (variable_declaration (variable_declarator name: (identifier) @name) @definition.variable)
    ]))

; A declaration of one thing is the whole of it.
(lexical_declaration . (variable_declarator) @wrapped .) @wrapper
(variable_declaration . (variable_declarator) @wrapped .) @wrapper
(expression_statement . (assignment_expression) @wrapped .) @wrapper
(export_statement declaration: (_) @wrapped) @wrapper @exported
(export_statement value: (_) @wrapped) @wrapper @exported
(decorator) @decorator

; Names exported elsewhere than where they are declared.
(export_statement
  !source
  (export_clause (export_specifier name: (identifier) @exported.name)))
(export_statement "default" value: (identifier) @exported.name)
(assignment_expression
  left: (member_expression
    object: (identifier) @_module
    property: (property_identifier) @_exports)
  right: [
    (identifier) @exported.name
    (object [
      (shorthand_property_identifier) @exported.name
      (pair value: (identifier) @exported.name)
      (pair key: (property_identifier) @exported.name)
      (method_definition name: (property_identifier) @exported.name)
    ])
  ]
  (#eq? @_module "module")
  (#eq? @_exports "exports"))
((assignment_expression
  left: (member_expression object: [
    (identifier) @_exports
    (member_expression property: (property_identifier) @_exports)
  ])) @exported
  (#eq? @_exports "exports"))
(assignment_expression
  left: (member_expression object: [
    (identifier) @_exports
    (member_expression property: (property_identifier) @_exports)
  ])
  right: (identifier) @exported.name
  (#eq? @_exports "exports"))

(comment) @comment

; Imports.
(import_statement
  source: (string) @import.module) @import
(import_statement
  (import_clause (identifier) @import.default)) @import
(import_statement
  (import_clause (namespace_import (identifier) @import.alias))) @import
(import_statement
  (import_clause
    (named_imports
      (import_specifier
        name: (_) @import.name
        alias: (_)? @import.name.alias)))) @import
(export_statement
  source: (string) @import.module) @import
(export_statement
  "*" @import.name
  source: (string)) @import
(export_statement
  (export_clause
    (export_specifier
      name: (_) @import.name
      alias: (_)? @import.name.alias))
  source: (string)) @import
(variable_declarator
  name: [
    (identifier) @import.alias
    (object_pattern (shorthand_property_identifier_pattern) @import.name)
    (object_pattern (pair_pattern key: (property_identifier) @import.name value: (identifier) @import.name.alias))
    (_)
  ]
  value: (call_expression
    function: (identifier) @_require
    arguments: (arguments . (string) @import.module .))
  (#eq? @_require "require")) @import
(expression_statement
  (call_expression
    function: (identifier) @_require
    arguments: (arguments . (string) @import.module .))
  (#eq? @_require "require")) @import
((call_expression
  function: (import)
  arguments: (arguments . (string) @import.module)) @import)
