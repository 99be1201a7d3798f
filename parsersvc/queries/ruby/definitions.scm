; Modules and classes. One that is named by a path belongs to what the path names.
(module
  name: [(constant) @name (scope_resolution scope: (_)? @container name: (constant) @name)]
  body: (body_statement)? @body) @definition.module
(class
  name: [(constant) @name (scope_resolution scope: (_)? @container name: (constant) @name)]
  body: (body_statement)? @body) @definition.class
; A class or a module that is made and named.
(assignment
  left: (constant) @name
  right: (call
    receiver: (constant) @_class
    method: (identifier) @_new
    block: (_ body: (_) @body)?)
  (#any-of? @_class "Class" "Struct" "Data")
  (#any-of? @_new "new" "define")) @definition.class
(assignment
  left: (constant) @name
  right: (call
    receiver: (constant) @_class
    method: (identifier) @_new
    block: (_ body: (_) @body)?)
  (#eq? @_class "Module")
  (#eq? @_new "new")) @definition.module

; Methods. One that stands in no class or module is a function.
(method
  name: (_) @name
  parameters: (method_parameters)? @parameters
  "=" @body) @definition.function
(method
  name: (_) @name
  parameters: (method_parameters)? @parameters
  body: (_)? @body) @definition.function
(singleton_method
  object: (constant) @container
  name: (_) @name
  parameters: (method_parameters)? @parameters
  body: (_)? @body) @definition.method
(singleton_method
  name: (_) @name
  parameters: (method_parameters)? @parameters
  body: (_)? @body) @definition.function
(call
  method: (identifier) @_define
  arguments: (argument_list . [
    (simple_symbol) @name
    (delimited_symbol (string_content) @name)
    (string (string_content) @name)
  ])
  block: (_ parameters: (block_parameters)? @parameters body: (_)? @body)
  (#any-of? @_define "define_method" "define_singleton_method")) @definition.method

; One that is made from another.
(call
  method: (identifier) @_define
  arguments: (argument_list . (simple_symbol) @name . (_))
  (#any-of? @_define "define_method" "define_singleton_method")) @definition.method

; Tests: the block of it, test and describe, under the name it is given.
(call
  method: (identifier) @_runner
  arguments: (argument_list . (string (string_content) @name))
  block: (_ body: (_)? @body)
  (#any-of? @_runner "it" "specify" "test" "should" "describe" "context" "feature" "scenario")) @definition.function @test

; Constants, and what is read through methods.
(assignment left: (constant) @name) @definition.constant
(assignment left: (scope_resolution scope: (_) @container name: (constant) @name)) @definition.constant
(call
  method: (identifier) @_attribute
  arguments: (argument_list [
    (simple_symbol) @name
    (string (string_content) @name)
  ])
  (#any-of? @_attribute "attr_reader" "attr_writer" "attr_accessor" "cattr_accessor" "mattr_accessor" "class_attribute")) @definition.field

; Visibility: a word alone is of all that follows in the class.
(class body: (body_statement (identifier) @section.private (#any-of? @section.private "private" "private_class_method")))
(class body: (body_statement (identifier) @section.exported (#any-of? @section.exported "public" "protected")))
(module body: (body_statement (identifier) @section.private (#eq? @section.private "private")))
(module body: (body_statement (identifier) @section.exported (#any-of? @section.exported "public" "protected" "module_function")))
(call
  method: (identifier) @_visibility
  arguments: (argument_list [(method) (singleton_method)] @private)
  (#any-of? @_visibility "private" "private_class_method"))
(call
  method: (identifier) @_visibility
  arguments: (argument_list (simple_symbol) @private.name)
  (#any-of? @_visibility "private" "private_class_method" "private_constant"))

; Parameters.
(method_parameters (identifier) @parameter) @parameters
(method_parameters (destructured_parameter) @parameter.unnamed) @parameters
(method_parameters (optional_parameter name: (identifier) @parameter.optional)) @parameters
(method_parameters (splat_parameter !name) @parameter.variadic.unnamed) @parameters
(method_parameters (splat_parameter name: (identifier) @parameter.variadic)) @parameters
(method_parameters (hash_splat_parameter name: (identifier) @parameter.variadic)) @parameters
(method_parameters (keyword_parameter name: (identifier) @parameter !value)) @parameters
(method_parameters (keyword_parameter name: (identifier) @parameter.optional value: (_))) @parameters
(method_parameters (forward_parameter) @parameter.variadic.unnamed) @parameters
(block_parameters (identifier) @parameter) @parameters
(block_parameters (optional_parameter name: (identifier) @parameter.optional)) @parameters
(block_parameters (splat_parameter name: (identifier) @parameter.variadic)) @parameters

(comment) @comment

; Imports.
(call
  !receiver
  method: (identifier) @_require
  arguments: (argument_list . (string (string_content) @import.module) .)
  (#any-of? @_require "require" "require_relative" "load")) @import
(call
  !receiver
  method: (identifier) @_require
  arguments: (argument_list . (simple_symbol) @import.name . (string (string_content) @import.module) .)
  (#eq? @_require "autoload")) @import
