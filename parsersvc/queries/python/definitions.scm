; Functions and classes. A function right inside a class is a method.
(function_definition
  name: (identifier) @name
  parameters: (parameters) @parameters
  ":" @body) @definition.function
(class_definition
  name: (identifier) @name
  ":" @body) @definition.class

(function_definition
  body: (block . (expression_statement (string) @doc))) @documented
(class_definition
  body: (block . (expression_statement (string) @doc))) @documented

(decorated_definition definition: (_) @wrapped) @wrapper
(decorator) @decorator

; A lambda with a name is a function.
(assignment
  left: (identifier) @name
  right: (lambda
    parameters: (lambda_parameters)? @parameters
    ":" @body)) @definition.function

; Several names for several values, of which one is a lambda: the third at most.
(assignment
  left: (pattern_list . (identifier) @name)
  right: (expression_list . (lambda parameters: (lambda_parameters)? @parameters ":" @body))) @definition.function
(assignment
  left: (pattern_list . (_) . (identifier) @name)
  right: (expression_list . (_) . (lambda parameters: (lambda_parameters)? @parameters ":" @body))) @definition.function
(assignment
  left: (pattern_list . (_) . (_) . (identifier) @name)
  right: (expression_list . (_) . (_) . (lambda parameters: (lambda_parameters)? @parameters ":" @body))) @definition.function
; What a namespace is made of are its members.
(call
  function: [(identifier) @_namespace (attribute attribute: (identifier) @_namespace)]
  arguments: (argument_list
    (keyword_argument
      name: (identifier) @name
      value: (lambda parameters: (lambda_parameters)? @parameters ":" @body)) @definition.function)
  (#eq? @_namespace "SimpleNamespace"))

(type_alias_statement
  . (type (identifier) @name)) @definition.type

; Variables of the module, also under a top-level if or try.
(module
  (expression_statement
    (assignment left: (identifier) @name) @definition.constant)
  (#match? @name "^_*[A-Z][A-Z0-9_]*$"))
(module
  (expression_statement
    (assignment left: (identifier) @name) @definition.variable))
(module
  (expression_statement
    (assignment left: (pattern_list (identifier) @name)) @definition.variable))
(module
  (if_statement
    (block
      (expression_statement
        (assignment left: (identifier) @name) @definition.variable))))
(module
  (try_statement
    (block
      (expression_statement
        (assignment left: (identifier) @name) @definition.variable))))

; Fields of a class.
(class_definition
  body: (block
    (expression_statement
      (assignment left: (identifier) @name) @definition.field)))

; Parameters.
(parameters (identifier) @parameter) @parameters
(parameters (typed_parameter . (identifier) @parameter)) @parameters
(parameters (tuple_pattern) @parameter) @parameters
(parameters (default_parameter name: (identifier) @parameter.optional)) @parameters
(parameters (typed_default_parameter name: (identifier) @parameter.optional)) @parameters
(parameters (list_splat_pattern (identifier) @parameter.variadic)) @parameters
(parameters (dictionary_splat_pattern (identifier) @parameter.variadic)) @parameters
(parameters (typed_parameter (list_splat_pattern (identifier) @parameter.variadic))) @parameters
(parameters (typed_parameter (dictionary_splat_pattern (identifier) @parameter.variadic))) @parameters

(lambda_parameters (identifier) @parameter) @parameters
(lambda_parameters (default_parameter name: (identifier) @parameter.optional)) @parameters
(lambda_parameters (list_splat_pattern (identifier) @parameter.variadic)) @parameters
(lambda_parameters (dictionary_splat_pattern (identifier) @parameter.variadic)) @parameters

(comment) @comment

; Imports.
(import_statement
  name: (dotted_name) @import.module @import)
(import_statement
  name: (aliased_import
    name: (dotted_name) @import.module
    alias: (identifier) @import.alias) @import)
(import_from_statement module_name: (_) @import.module) @import
(import_from_statement name: (dotted_name) @import.name) @import
(import_from_statement
  name: (aliased_import
    name: (dotted_name) @import.name
    alias: (identifier) @import.name.alias)) @import
(import_from_statement (wildcard_import) @import.name) @import
(future_import_statement "__future__" @import.module) @import
(future_import_statement name: (dotted_name) @import.name) @import
