; Functions and methods. The receiver's type is the container.
(function_declaration
  name: (identifier) @name
  parameters: (parameter_list) @parameters
  body: (block)? @body) @definition.function

(method_declaration
  receiver: (parameter_list
    (parameter_declaration
      type: [
        (type_identifier) @container
        (generic_type type: (type_identifier) @container)
        (pointer_type (type_identifier) @container)
        (pointer_type (generic_type type: (type_identifier) @container))
        (pointer_type (parenthesized_type (type_identifier) @container))
        (parenthesized_type (type_identifier) @container)
        (parenthesized_type (pointer_type (type_identifier) @container))
      ]))
  name: (field_identifier) @name
  parameters: (parameter_list) @parameters
  body: (block)? @body) @definition.method
; One whose receiver is wrong is a method still.
(method_declaration
  name: (field_identifier) @name
  parameters: (parameter_list) @parameters
  body: (block)? @body) @definition.method

; Types.
(type_spec
  name: (type_identifier) @name
  type: (struct_type (field_declaration_list) @body)) @definition.struct
(type_spec
  name: (type_identifier) @name
  type: (interface_type "{" @body)) @definition.interface
(type_spec name: (type_identifier) @name) @definition.type
(type_alias name: (type_identifier) @name) @definition.type

(type_spec
  type: (interface_type
    (method_elem
      name: (field_identifier) @name
      parameters: (parameter_list) @parameters) @definition.method))

(type_spec
  type: (struct_type
    (field_declaration_list
      (field_declaration name: (field_identifier) @name) @definition.field)))
(type_spec
  type: (struct_type
    (field_declaration_list
      (field_declaration
        !name
        type: [
          (type_identifier) @name
          (qualified_type name: (type_identifier) @name)
          (generic_type type: (type_identifier) @name)
          (generic_type type: (qualified_type name: (type_identifier) @name))
        ]) @definition.field)))

; Constants and variables of the package.
(source_file
  (const_declaration
    (const_spec name: (identifier) @name) @definition.constant))
(source_file
  (var_declaration
    (var_spec name: (identifier) @name) @definition.variable))
(source_file
  (var_declaration
    (var_spec_list
      (var_spec name: (identifier) @name) @definition.variable)))

; A declaration of one thing without parentheses is the whole of it.
((type_declaration . (type_spec) @wrapped .) @wrapper
  (#not-match? @wrapper "^type\\s*\\("))
((type_declaration . (type_alias) @wrapped .) @wrapper
  (#not-match? @wrapper "^type\\s*\\("))
((const_declaration . (const_spec) @wrapped .) @wrapper
  (#not-match? @wrapper "^const\\s*\\("))
((var_declaration . (var_spec) @wrapped .) @wrapper
  (#not-match? @wrapper "^var\\s*\\("))

; Parameters.
(parameter_list
  (parameter_declaration name: (identifier) @parameter)) @parameters
(parameter_list
  (parameter_declaration !name) @parameter.unnamed) @parameters
(parameter_list
  (variadic_parameter_declaration name: (identifier) @parameter.variadic)) @parameters
(parameter_list
  (variadic_parameter_declaration !name) @parameter.variadic.unnamed) @parameters

(comment) @comment

; Imports.
(import_spec
  name: (_)? @import.alias
  path: (_) @import.module) @import
