; An outline: the rules by their selectors, animations, and variables.
(rule_set (selectors) @name (block) @body) @definition.type
(keyframes_statement (keyframes_name) @name (keyframe_block_list) @body) @definition.type
(declaration (property_name) @name
  (#match? @name "^--")) @definition.variable

(comment) @comment

(import_statement . (string_value) @import.module) @import
(import_statement . (call_expression (arguments (string_value) @import.module))) @import
