; An outline: the elements that have a name of their own.
(element
  (start_tag
    (attribute
      (attribute_name) @_id
      (quoted_attribute_value (attribute_value) @name))) @body
  (#eq? @_id "id")) @definition.field
(element
  (self_closing_tag
    (attribute
      (attribute_name) @_id
      (quoted_attribute_value (attribute_value) @name)))
  (#eq? @_id "id")) @definition.field

(comment) @comment

; Imports: scripts and style sheets.
(script_element
  (start_tag
    (attribute
      (attribute_name) @_src
      (quoted_attribute_value (attribute_value) @import.module)))
  (#eq? @_src "src")) @import
((start_tag
  (tag_name) @_link
  (attribute
    (attribute_name) @_href
    (quoted_attribute_value (attribute_value) @import.module))) @import
  (#eq? @_link "link")
  (#eq? @_href "href"))
