; A component is called by its element; an element in lower case is the page's.
(jsx_opening_element
  name: (identifier) @call
  (#match? @call "^[A-Z]"))
(jsx_self_closing_element
  name: (identifier) @call
  (#match? @call "^[A-Z]"))
(jsx_opening_element
  name: (member_expression
    object: (_) @receiver
    property: (property_identifier) @call))
(jsx_self_closing_element
  name: (member_expression
    object: (_) @receiver
    property: (property_identifier) @call))
(jsx_opening_element name: (identifier) @ignore)
(jsx_self_closing_element name: (identifier) @ignore)
(jsx_closing_element (identifier) @ignore)
(jsx_closing_element
  (member_expression
    object: (identifier) @ignore
    property: (property_identifier) @ignore))
(jsx_attribute (property_identifier) @ignore)
