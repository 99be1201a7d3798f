; Tests of the usual framework: what a macro is given reads as a function's parameters.
(function_definition
  declarator: (function_declarator
    declarator: (identifier) @_macro
    parameters: (parameter_list
      . (parameter_declaration type: (type_identifier) @container)
      . (parameter_declaration type: (type_identifier) @name)))
  body: (compound_statement) @body
  (#any-of? @_macro "TEST" "TEST_F" "TEST_P" "TYPED_TEST" "TYPED_TEST_P" "FUZZ_TEST")) @definition.function @test

; Types, namespaces and aliases.
(class_specifier name: (type_identifier) @name body: (field_declaration_list) @body) @definition.class
(class_specifier
  name: (template_type name: (type_identifier) @name)
  body: (field_declaration_list) @body) @definition.class
(class_specifier
  name: (qualified_identifier scope: (_) @container name: (type_identifier) @name)
  body: (field_declaration_list) @body) @definition.class
(struct_specifier
  name: (template_type name: (type_identifier) @name)
  body: (field_declaration_list) @body) @definition.struct
(struct_specifier
  name: (qualified_identifier scope: (_) @container name: (type_identifier) @name)
  body: (field_declaration_list) @body) @definition.struct
(namespace_definition
  name: [(namespace_identifier) (nested_namespace_specifier)] @name
  body: (declaration_list) @body) @definition.module
(alias_declaration name: (type_identifier) @name) @definition.type
(concept_definition name: (identifier) @name) @definition.type

; Functions by what their declarator names: one of a class inside it or outside, an operator, a destructor; behind a star
; or a reference.
(function_definition
  declarator: (function_declarator
    declarator: [(field_identifier) (operator_name) (destructor_name)] @name
    parameters: (parameter_list) @parameters)
  body: (compound_statement)? @body) @definition.function
(function_definition
  declarator: (function_declarator
    declarator: (identifier) @name
    parameters: (parameter_list) @parameters)
  [(default_method_clause) (delete_method_clause) (pure_virtual_clause) (try_statement)] @body) @definition.function
(function_definition
  declarator: (pointer_declarator
    declarator: (function_declarator
      declarator: [(field_identifier) (operator_name)] @name
      parameters: (parameter_list) @parameters))
  body: (compound_statement)? @body) @definition.function
(function_definition
  declarator: (pointer_declarator
    declarator: (pointer_declarator
      declarator: (function_declarator
        declarator: [(field_identifier) (operator_name)] @name
        parameters: (parameter_list) @parameters)))
  body: (compound_statement)? @body) @definition.function
(function_definition
  declarator: (reference_declarator
    (function_declarator
      declarator: [(identifier) (field_identifier) (operator_name)] @name
      parameters: (parameter_list) @parameters))
  body: (compound_statement)? @body) @definition.function
(function_definition
  declarator: (function_declarator
    declarator: (qualified_identifier
      scope: [(namespace_identifier) @container (template_type name: (type_identifier) @container)]
      name: [(identifier) (operator_name) (destructor_name)] @name)
    parameters: (parameter_list) @parameters)
  body: (compound_statement)? @body) @definition.method
(function_definition
  declarator: (pointer_declarator
    declarator: (function_declarator
      declarator: (qualified_identifier
        scope: [(namespace_identifier) @container (template_type name: (type_identifier) @container)]
        name: [(identifier) (operator_name)] @name)
      parameters: (parameter_list) @parameters))
  body: (compound_statement)? @body) @definition.method
(function_definition
  declarator: (pointer_declarator
    declarator: (pointer_declarator
      declarator: (function_declarator
        declarator: (qualified_identifier
          scope: [(namespace_identifier) @container (template_type name: (type_identifier) @container)]
          name: [(identifier) (operator_name)] @name)
        parameters: (parameter_list) @parameters)))
  body: (compound_statement)? @body) @definition.method
(function_definition
  declarator: (reference_declarator
    (function_declarator
      declarator: (qualified_identifier
        scope: [(namespace_identifier) @container (template_type name: (type_identifier) @container)]
        name: [(identifier) (operator_name)] @name)
      parameters: (parameter_list) @parameters))
  body: (compound_statement)? @body) @definition.method
(function_definition
  declarator: (function_declarator
    declarator: (qualified_identifier
      name: (qualified_identifier
        scope: [(namespace_identifier) @container (template_type name: (type_identifier) @container)]
        name: [(identifier) (operator_name) (destructor_name)] @name))
    parameters: (parameter_list) @parameters)
  body: (compound_statement)? @body) @definition.method
(function_definition declarator: (operator_cast) @name body: (compound_statement)? @body) @definition.method

; Functions that are declared only. A macro that says something of what stands before it reads as one more declarator, and
; that as an error: size_t used GUARDED_BY(mutex);
((ERROR . (identifier) @name .) @definition.field
  . (function_declarator declarator: (field_identifier) @_macro) @definition.field
  (#match? @_macro "^[A-Z][A-Z0-9]*_[A-Z0-9_]*$"))
((ERROR
    (function_declarator
      declarator: (field_identifier) @name
      parameters: (parameter_list) @parameters)) @definition.method
  . (function_declarator declarator: (field_identifier) @_macro) @definition.method
  (#match? @_macro "^[A-Z][A-Z0-9]*_[A-Z0-9_]*$"))
(field_declaration
  declarator: (function_declarator
    declarator: [(field_identifier) (operator_name)] @name
    parameters: (parameter_list) @parameters)
  (#not-match? @name "^[A-Z][A-Z0-9]*_[A-Z0-9_]*$")) @definition.method
(field_declaration
  declarator: (pointer_declarator
    declarator: (pointer_declarator
      declarator: (function_declarator
        declarator: [(field_identifier) (operator_name)] @name
        parameters: (parameter_list) @parameters)))) @definition.method
(field_declaration
  declarator: (pointer_declarator
    declarator: (function_declarator
      declarator: [(field_identifier) (operator_name)] @name
      parameters: (parameter_list) @parameters))) @definition.method
(field_declaration
  declarator: (reference_declarator
    (function_declarator
      declarator: [(field_identifier) (operator_name)] @name
      parameters: (parameter_list) @parameters))) @definition.method
(declaration
  declarator: (function_declarator
    declarator: [(destructor_name) (operator_name)] @name
    parameters: (parameter_list) @parameters)) @definition.function
(declaration
  declarator: (reference_declarator
    (function_declarator
      declarator: [(identifier) (operator_name)] @name
      parameters: (parameter_list) @parameters))) @definition.function

; A field with a value reads as a function without parameters.
(function_definition declarator: (field_identifier) @name (pure_virtual_clause)) @definition.field
(field_declaration declarator: (reference_declarator (field_identifier) @name)) @definition.field
(declaration declarator: (init_declarator declarator: (reference_declarator (identifier) @name))) @definition.variable

(template_declaration (_) @wrapped .) @wrapper

; Visibility: a word is of all that follows in the class.
(field_declaration_list (access_specifier) @section.private (#eq? @section.private "private"))
(field_declaration_list (access_specifier) @section.exported (#any-of? @section.exported "public" "protected"))
; What is in a namespace without a name has internal linkage.
(namespace_definition !name body: (declaration_list (_) @private))

; Parameters.
(parameter_list (optional_parameter_declaration) @parameter.optional.unnamed) @parameters
(parameter_list (optional_parameter_declaration declarator: (identifier) @parameter)) @parameters
(parameter_list
  (optional_parameter_declaration declarator: (pointer_declarator declarator: (identifier) @parameter))) @parameters
(parameter_list (optional_parameter_declaration declarator: (reference_declarator (identifier) @parameter))) @parameters
(parameter_list (parameter_declaration declarator: (reference_declarator (identifier) @parameter))) @parameters
(parameter_list (variadic_parameter_declaration) @parameter.variadic.unnamed) @parameters
(parameter_list "..." @parameter.variadic.unnamed) @parameters

; Imports: a name of a namespace.
(using_declaration (qualified_identifier scope: (_) @import.module name: (_) @import.name)) @import
(using_declaration "namespace" [(identifier) (qualified_identifier)] @import.module) @import
(namespace_alias_definition name: (_) @import.alias [(nested_namespace_specifier) (namespace_identifier)] @import.module .) @import
