; What C and C++ share.

; Functions: what a declarator names behind at most two stars.
(function_definition
  declarator: (function_declarator
    declarator: (identifier) @name
    parameters: (parameter_list) @parameters)
  body: (compound_statement) @body
  (#not-any-of? @name "TEST" "TEST_F" "TEST_P" "TYPED_TEST" "TYPED_TEST_P" "FUZZ_TEST")) @definition.function
(function_definition
  declarator: (pointer_declarator
    declarator: (function_declarator
      declarator: (identifier) @name
      parameters: (parameter_list) @parameters))
  body: (compound_statement) @body) @definition.function
(function_definition
  declarator: (pointer_declarator
    declarator: (pointer_declarator
      declarator: (function_declarator
        declarator: (identifier) @name
        parameters: (parameter_list) @parameters)))
  body: (compound_statement) @body) @definition.function

; Functions that are declared only. What has no type is a constructor, or a macro.
(declaration
  type: (_)
  declarator: (function_declarator
    declarator: (identifier) @name
    parameters: (parameter_list) @parameters)) @definition.function
(declaration
  !type
  declarator: (function_declarator
    declarator: (identifier) @name
    parameters: (parameter_list) @parameters)
  (#not-match? @name "^[A-Z][A-Z0-9]*_[A-Z0-9_]*$")) @definition.function
(declaration
  declarator: (pointer_declarator
    declarator: (function_declarator
      declarator: (identifier) @name
      parameters: (parameter_list) @parameters))) @definition.function
(declaration
  declarator: (pointer_declarator
    declarator: (pointer_declarator
      declarator: (function_declarator
        declarator: (identifier) @name
        parameters: (parameter_list) @parameters)))) @definition.function

; Macros. One without a value is a guard.
(preproc_function_def
  name: (identifier) @name
  parameters: (preproc_params) @parameters
  value: (_)? @body) @definition.function
(preproc_def name: (identifier) @name value: (_)) @definition.constant

; Types.
(struct_specifier name: (type_identifier) @name body: (field_declaration_list) @body) @definition.struct
(union_specifier name: (type_identifier) @name body: (field_declaration_list) @body) @definition.struct
(enum_specifier name: (type_identifier) @name body: (enumerator_list) @body) @definition.enum
(type_definition
  type: (struct_specifier !name body: (field_declaration_list) @body)
  declarator: (type_identifier) @name) @definition.struct
(type_definition
  type: (union_specifier !name body: (field_declaration_list) @body)
  declarator: (type_identifier) @name) @definition.struct
(type_definition
  type: (enum_specifier !name body: (enumerator_list) @body)
  declarator: (type_identifier) @name) @definition.enum
; What names a type that has a name of its own stands beside it.
(type_definition
  type: (_ name: (_) body: (_))
  declarator: (type_identifier) @name @definition.type)
(type_definition declarator: (type_identifier) @name) @definition.type
(type_definition declarator: (pointer_declarator declarator: (type_identifier) @name)) @definition.type
(type_definition
  declarator: (pointer_declarator declarator: (pointer_declarator declarator: (type_identifier) @name))) @definition.type
(type_definition declarator: (array_declarator declarator: (type_identifier) @name)) @definition.type
(type_definition
  declarator: (function_declarator
    declarator: (parenthesized_declarator
      (pointer_declarator declarator: (type_identifier) @name)))) @definition.type

; Fields and constants of types.
(field_declaration declarator: (field_identifier) @name) @definition.field
(field_declaration declarator: (pointer_declarator declarator: (field_identifier) @name)) @definition.field
(field_declaration
  declarator: (pointer_declarator declarator: (pointer_declarator declarator: (field_identifier) @name))) @definition.field
(field_declaration declarator: (array_declarator declarator: (field_identifier) @name)) @definition.field
(field_declaration
  declarator: (pointer_declarator declarator: (array_declarator declarator: (field_identifier) @name))) @definition.field
(field_declaration
  declarator: (array_declarator declarator: (array_declarator declarator: (field_identifier) @name))) @definition.field
(field_declaration
  declarator: (function_declarator
    declarator: (parenthesized_declarator
      (pointer_declarator declarator: (field_identifier) @name)))) @definition.field
(enumerator name: (identifier) @name) @definition.constant

; Variables. Those of functions are left out by what encloses them.
(declaration declarator: (identifier) @name) @definition.variable
(declaration declarator: (pointer_declarator declarator: (identifier) @name)) @definition.variable
(declaration
  declarator: (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @name))) @definition.variable
(declaration declarator: (array_declarator declarator: (identifier) @name)) @definition.variable
(declaration
  declarator: (pointer_declarator declarator: (array_declarator declarator: (identifier) @name))) @definition.variable
(declaration
  declarator: (array_declarator declarator: (array_declarator declarator: (identifier) @name))) @definition.variable
(declaration
  declarator: (function_declarator
    declarator: (parenthesized_declarator (pointer_declarator declarator: (identifier) @name)))) @definition.variable
(declaration declarator: (init_declarator declarator: (identifier) @name)) @definition.variable
(declaration declarator: (init_declarator declarator: (pointer_declarator declarator: (identifier) @name))) @definition.variable
(declaration
  declarator: (init_declarator
    declarator: (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @name)))) @definition.variable
(declaration declarator: (init_declarator declarator: (array_declarator declarator: (identifier) @name))) @definition.variable
(declaration
  declarator: (init_declarator
    declarator: (array_declarator declarator: (array_declarator declarator: (identifier) @name)))) @definition.variable
(declaration
  declarator: (init_declarator
    declarator: (function_declarator
      declarator: (parenthesized_declarator (pointer_declarator declarator: (identifier) @name))))) @definition.variable
(declaration
  declarator: (init_declarator
    declarator: (pointer_declarator declarator: (array_declarator declarator: (identifier) @name)))) @definition.variable

; What is static has internal linkage.
(function_definition (storage_class_specifier) @_storage
  (#eq? @_storage "static")) @private
(declaration (storage_class_specifier) @_storage
  (#eq? @_storage "static")) @private

; Parameters: each is counted, and named where its declarator is a usual one.
(parameter_list (parameter_declaration type: (_) @_type) @parameter.unnamed
  (#not-eq? @_type "void")) @parameters
(parameter_list (parameter_declaration type: (_) @_type declarator: (_)) @parameter.unnamed
  (#eq? @_type "void")) @parameters
(parameter_list (parameter_declaration declarator: (identifier) @parameter)) @parameters
(parameter_list (parameter_declaration declarator: (pointer_declarator declarator: (identifier) @parameter))) @parameters
(parameter_list
  (parameter_declaration
    declarator: (pointer_declarator declarator: (pointer_declarator declarator: (identifier) @parameter)))) @parameters
(parameter_list (parameter_declaration declarator: (array_declarator declarator: (identifier) @parameter))) @parameters
(parameter_list
  (parameter_declaration
    declarator: (pointer_declarator declarator: (array_declarator declarator: (identifier) @parameter)))) @parameters
(parameter_list
  (parameter_declaration
    declarator: (function_declarator
      declarator: (parenthesized_declarator (pointer_declarator declarator: (identifier) @parameter))))) @parameters
(preproc_params (identifier) @parameter) @parameters
(preproc_params "..." @parameter.variadic.unnamed) @parameters

(comment) @comment

; Imports.
(preproc_include path: (_) @import.module) @import
