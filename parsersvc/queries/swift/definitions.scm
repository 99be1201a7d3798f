; Types. What extends a type is not one.
(class_declaration
  declaration_kind: "class"
  name: (type_identifier) @name
  body: (class_body) @body) @definition.class
(class_declaration
  declaration_kind: "actor"
  name: (type_identifier) @name
  body: (class_body) @body) @definition.class
(class_declaration
  declaration_kind: "struct"
  name: (type_identifier) @name
  body: (class_body) @body) @definition.struct
(class_declaration
  declaration_kind: "enum"
  name: (type_identifier) @name
  body: (enum_class_body) @body) @definition.enum
(protocol_declaration
  name: (type_identifier) @name
  body: (protocol_body) @body) @definition.interface
(typealias_declaration . (modifiers)? . name: (type_identifier) @name) @definition.type
(associatedtype_declaration name: (type_identifier) @name) @definition.type

; Functions. Parameters have no list; they belong to the definition that they stand in. Most patterns here ask for fields of
; any node: tree-sitter's own engine, which the tests compare with, takes seconds to compile one of a function's own node.
(_
  declaration_kind: "extension"
  name: (user_type (type_identifier) @container .)
  body: (_
    (_
      name: (simple_identifier) @name @parameters
      body: (function_body) @body) @definition.method))
(_
  declaration_kind: "extension"
  name: (user_type (type_identifier) @container .)
  body: (_
    (_
      name: (_ bound_identifier: (simple_identifier) @name)
      computed_value: (_)? @body) @definition.field))
(_
  name: (simple_identifier) @name @parameters
  body: (function_body) @body) @definition.function
(_
  name: ["==" "!=" "<" ">" "<=" ">=" "+" "-" "*" "/" (custom_operator)] @name @parameters
  body: (function_body) @body) @definition.function
(protocol_function_declaration name: (simple_identifier) @name @parameters) @definition.function
(_ name: "init" @name @parameters body: (function_body)? @body) @definition.method
(deinit_declaration "deinit" @name body: (function_body) @body) @definition.method
(subscript_declaration "subscript" @name @parameters (computed_property) @body) @definition.method

; Constants, variables and fields.
(source_file
  (_
    (value_binding_pattern "let")
    name: (_ bound_identifier: (simple_identifier) @name)) @definition.constant)
(source_file
  (_ name: (_ bound_identifier: (simple_identifier) @name)) @definition.variable)
(class_body
  (_
    name: (_ bound_identifier: (simple_identifier) @name)
    computed_value: (_)? @body) @definition.field)
(enum_class_body
  (_
    name: (_ bound_identifier: (simple_identifier) @name)
    computed_value: (_)? @body) @definition.field)
(protocol_property_declaration name: (_ bound_identifier: (simple_identifier) @name)) @definition.field
(enum_entry name: (simple_identifier) @name) @definition.constant

; Visibility: without a word it is of the module.
(_ (modifiers (visibility_modifier) @_visibility)
  (#any-of? @_visibility "public" "open")) @exported
(_ (modifiers (visibility_modifier) @_visibility)
  (#any-of? @_visibility "private" "fileprivate")) @private

; Tests.
(_
  (modifiers (attribute (user_type (type_identifier) @_attribute)))
  (#eq? @_attribute "Test")) @test

(attribute) @decorator

; Parameters. What makes one optional stands behind it.
(parameter name: (simple_identifier) @parameter)
(_ (_ name: (simple_identifier) @parameter.optional) . default_value: (_))
(parameter name: (simple_identifier) @parameter.variadic "...")

[(comment) (multiline_comment)] @comment

; Imports.
(import_declaration (identifier) @import.module) @import
