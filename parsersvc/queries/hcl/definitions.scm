; An outline: the blocks of the file. The last label is the name, the one before it the type.
(config_file
  (body
    (block
      (string_lit (template_literal) @container)
      . (string_lit (template_literal) @name)
      . (block_start) @body) @definition.struct))
(config_file
  (body
    (block
      . (identifier) @_kind
      . (string_lit (template_literal) @name)
      . (block_start) @body) @definition.variable)
  (#any-of? @_kind "variable" "output"))
(config_file
  (body
    (block
      . (identifier)
      . (string_lit (template_literal) @name)
      . (block_start) @body) @definition.module))
(config_file
  (body
    (block
      . (identifier) @_kind
      (body (attribute . (identifier) @name) @definition.variable)))
  (#eq? @_kind "locals"))
; A file of values has nothing but attributes.
(config_file (body (attribute . (identifier) @name) @definition.variable))

(comment) @comment

(block
  . (identifier) @_kind
  (body
    (attribute
      . (identifier) @_source
      (expression (literal_value (string_lit (template_literal) @import.module)))) @import)
  (#eq? @_kind "module")
  (#eq? @_source "source"))
