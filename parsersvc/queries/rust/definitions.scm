; Functions of an impl are methods of its type, and as visible as the trait where it has one.
(impl_item
  type: [
    (type_identifier) @container
    (generic_type type: (type_identifier) @container)
    (generic_type type: (scoped_type_identifier name: (type_identifier) @container))
    (scoped_type_identifier name: (type_identifier) @container)
    (reference_type type: (type_identifier) @container)
    (primitive_type) @container
  ]
  body: (declaration_list
    (function_item
      name: (identifier) @name
      parameters: (parameters) @parameters
      body: (block) @body) @definition.method))
(impl_item
  type: [
    (type_identifier) @container
    (generic_type type: (type_identifier) @container)
  ]
  body: (declaration_list
    [
      (type_item name: (type_identifier) @name) @definition.type
      (const_item name: (identifier) @name) @definition.constant
    ]))
(impl_item
  body: (declaration_list
    (function_item
      name: (identifier) @name
      parameters: (parameters) @parameters
      body: (block) @body) @definition.method))
(impl_item
  trait: (_)
  body: (declaration_list (function_item) @exported))

; Functions. One right inside a trait becomes a method by itself.
(function_item
  name: (identifier) @name
  parameters: (parameters) @parameters
  body: (block) @body) @definition.function
(function_signature_item
  name: (identifier) @name
  parameters: (parameters) @parameters) @definition.function
(macro_definition name: (identifier) @name ["{" "(" "["] @body) @definition.function

; What is declared among the tokens that a macro is given, as cfg_if! and pin_project! are.
(macro_invocation (token_tree "fn" @definition.function . (identifier) @name @definition.function . (token_tree)? @definition.function))
(macro_invocation (token_tree (token_tree "fn" @definition.function . (identifier) @name @definition.function . (token_tree)? @definition.function)))
(macro_invocation (token_tree "struct" @definition.struct . (identifier) @name @definition.struct . (token_tree)? @definition.struct))
(macro_invocation (token_tree "enum" @definition.enum . (identifier) @name @definition.enum . (token_tree)? @definition.enum))
(macro_invocation (token_tree "trait" @definition.interface . (identifier) @name @definition.interface . (token_tree)? @definition.interface))

; Types.
(struct_item name: (type_identifier) @name body: (_)? @body) @definition.struct
(union_item name: (type_identifier) @name body: (_) @body) @definition.struct
(enum_item name: (type_identifier) @name body: (_) @body) @definition.enum
(trait_item name: (type_identifier) @name body: (_) @body) @definition.interface
(declaration_list (type_item name: (type_identifier) @name) @definition.type)
(source_file (type_item name: (type_identifier) @name) @definition.type)
(block (type_item name: (type_identifier) @name) @definition.type)
(associated_type name: (type_identifier) @name) @definition.type
(mod_item name: (identifier) @name body: (declaration_list)? @body) @definition.module

; Constants, variables and fields.
(enum_variant name: (identifier) @name) @definition.constant
(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.variable
(field_declaration name: (field_identifier) @name) @definition.field

; Visibility. What is pub for a part of the crate only is not.
(_ (visibility_modifier) @_visibility
  (#eq? @_visibility "pub")) @exported
; A macro that is exported says so above itself.
((attribute_item (attribute (identifier) @_attribute)) . (macro_definition) @exported
  (#eq? @_attribute "macro_export"))

(attribute_item) @decorator

; Parameters.
(parameters (self_parameter) @parameter.receiver) @parameters
(parameters (parameter pattern: (identifier) @parameter)) @parameters
(parameters (parameter pattern: (mut_pattern (identifier) @parameter))) @parameters
(parameters (parameter pattern: [
  (tuple_pattern) (tuple_struct_pattern) (struct_pattern) (reference_pattern) (slice_pattern) (ref_pattern) "_"
] @parameter.unnamed)) @parameters
(parameters (variadic_parameter) @parameter.variadic.unnamed) @parameters

[(line_comment) (block_comment)] @comment

; Imports.
(use_declaration
  argument: (scoped_identifier
    path: (_) @import.module
    name: (identifier) @import.name)) @import
(use_declaration
  argument: (use_as_clause
    path: (scoped_identifier
      path: (_) @import.module
      name: (identifier) @import.name)
    alias: (identifier) @import.name.alias)) @import
(use_declaration argument: (use_wildcard . (_) @import.module "*" @import.name)) @import
(use_declaration argument: [(identifier) (crate) (self) (super)] @import.module) @import
(use_declaration
  argument: (use_as_clause
    path: (identifier) @import.module
    alias: (identifier) @import.alias)) @import
; A list is an import of its own, so that one inside another can have the outer's path in front.
(scoped_use_list
  path: (_) @import.module
  list: (use_list)) @import
(scoped_use_list
  list: (use_list [(identifier) (self)] @import.name)) @import
(scoped_use_list
  list: (use_list (scoped_identifier) @import.name)) @import
(scoped_use_list
  list: (use_list (use_wildcard) @import.name)) @import
(scoped_use_list
  list: (use_list
    (use_as_clause
      path: (_) @import.name
      alias: (_) @import.name.alias))) @import
(extern_crate_declaration
  name: (identifier) @import.module
  alias: (identifier)? @import.alias) @import
(mod_item name: (identifier) @import.module !body) @import
