; Base types.
(superclass (constant) @inherit)
(superclass (scope_resolution scope: (_) @receiver name: (constant) @inherit))
(call
  !receiver
  method: (identifier) @_mixin
  arguments: (argument_list (constant) @inherit)
  (#any-of? @_mixin "include" "extend" "prepend"))
(call
  !receiver
  method: (identifier) @_mixin
  arguments: (argument_list (scope_resolution scope: (_) @receiver name: (constant) @inherit))
  (#any-of? @_mixin "include" "extend" "prepend"))

; Names that are no uses.
(alias name: (identifier) @ignore)
((identifier) @ignore
  (#any-of? @ignore "private" "public" "protected" "module_function" "attr_reader" "attr_writer" "attr_accessor"
    "require" "require_relative" "include" "extend" "prepend" "raise" "lambda" "proc" "loop" "puts"
    "define_method" "private_class_method" "alias_method" "private_constant" "block_given?"))

; Calls.
(call
  receiver: (_) @receiver
  method: [(identifier) (constant)] @call
  arguments: (argument_list) @arguments)
(call
  method: [(identifier) (constant)] @call
  arguments: (argument_list) @arguments)
(call
  receiver: (_) @receiver
  method: [(identifier) (constant)] @call
  !arguments) @arguments.none
(call
  method: (identifier) @call
  !arguments) @arguments.none
(argument_list [(splat_argument) (hash_splat_argument) (block_argument) (pair)]) @spread

; Other uses.
(scope_resolution
  scope: (_) @receiver
  name: (constant) @read)
(constant) @read
(identifier) @read

; Names that a method makes for itself.
(method_parameters (identifier) @local)
(block_parameters (identifier) @local)
(lambda_parameters (identifier) @local)
(optional_parameter name: (identifier) @local)
(splat_parameter name: (identifier) @local)
(hash_splat_parameter name: (identifier) @local)
(keyword_parameter name: (identifier) @local)
(block_parameter name: (identifier) @local)
(destructured_parameter (identifier) @local)
(assignment left: (identifier) @local)
(left_assignment_list (identifier) @local)
(operator_assignment left: (identifier) @local)
(exception_variable (identifier) @local)
(for pattern: (identifier) @local)
