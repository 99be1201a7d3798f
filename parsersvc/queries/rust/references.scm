; Names that are no uses.
(use_declaration (identifier) @ignore)
(use_declaration (scoped_identifier (identifier) @ignore))
(use_list (identifier) @ignore)
(scoped_use_list path: (identifier) @ignore)
(scoped_use_list path: (scoped_identifier (identifier) @ignore))
(mod_item name: (identifier) @ignore)
(scoped_identifier path: (scoped_identifier (identifier) @ignore))
(use_list (scoped_identifier (identifier) @ignore))
(use_as_clause (identifier) @ignore)
(use_as_clause (scoped_identifier (identifier) @ignore))
(use_wildcard (identifier) @ignore)
(use_wildcard (scoped_identifier (identifier) @ignore))
(extern_crate_declaration (identifier) @ignore)
(lifetime (identifier) @ignore)
(attribute (identifier) @ignore)
(attribute (scoped_identifier (identifier) @ignore))
(label (identifier) @ignore)
(attribute
  (identifier) @_attribute
  arguments: (token_tree (identifier) @ignore)
  (#any-of? @_attribute "cfg" "cfg_attr" "allow" "warn" "deny"))
((identifier) @ignore (#any-of? @ignore "Ok" "Err" "Some" "None"))

; Calls.
(call_expression
  function: (field_expression value: (_) @receiver field: (field_identifier) @call)
  arguments: (arguments) @arguments)
(call_expression
  function: (scoped_identifier path: (_) @receiver name: (identifier) @call)
  arguments: (arguments) @arguments)
(call_expression
  function: (identifier) @call
  arguments: (arguments) @arguments)
(call_expression
  function: (generic_function function: [
    (identifier) @call
    (scoped_identifier path: (_) @receiver name: (identifier) @call)
    (field_expression value: (_) @receiver field: (field_identifier) @call)
  ])
  arguments: (arguments) @arguments)
(macro_invocation macro: (scoped_identifier path: (_) @receiver name: (identifier) @call))
(macro_invocation macro: (identifier) @call)

; Among the tokens that a macro is given, a name before a bracket is most probably a call.
(token_tree (identifier) @call . (token_tree . "("))

; Traits that are implemented or asked for.
(impl_item trait: [
  (type_identifier) @inherit
  (generic_type type: (type_identifier) @inherit)
  (scoped_type_identifier path: (_) @receiver name: (type_identifier) @inherit)
  (generic_type type: (scoped_type_identifier path: (_) @receiver name: (type_identifier) @inherit))
])
(trait_item bounds: (trait_bounds [
  (type_identifier) @inherit
  (generic_type type: (type_identifier) @inherit)
  (scoped_type_identifier path: (_) @receiver name: (type_identifier) @inherit)
]))

; Types.
(scoped_type_identifier path: (_) @receiver name: (type_identifier) @type)
((type_identifier) @type
  (#not-any-of? @type "Self" "Option" "Vec" "String" "Box" "Result"))

; Other uses.
(field_expression value: (_) @receiver field: (field_identifier) @read)
(scoped_identifier path: (_) @receiver name: (identifier) @read)
(identifier) @read

; Names that a function makes for itself.
(parameter pattern: (identifier) @local)
(mut_pattern (identifier) @local)
(ref_pattern (identifier) @local)
(tuple_pattern (identifier) @local)
(slice_pattern (identifier) @local)
(reference_pattern (identifier) @local)
(tuple_struct_pattern type: (_) (identifier) @local)
(captured_pattern . (identifier) @local)
(field_pattern name: (shorthand_field_identifier) @local)
(field_pattern pattern: (identifier) @local)
(match_pattern . (identifier) @local .)
(closure_parameters (identifier) @local)
(let_declaration pattern: (identifier) @local)
(let_condition pattern: (identifier) @local)
(for_expression pattern: (identifier) @local)
(type_parameters (type_identifier) @local)
(constrained_type_parameter left: (type_identifier) @local)
(optional_type_parameter name: (type_identifier) @local)
(const_parameter name: (identifier) @local)
