; An outline: tables, views, types, functions and what belongs to them.
(create_table (object_reference name: (identifier) @name) (column_definitions) @body) @definition.struct
(create_table (object_reference name: (identifier) @name)) @definition.struct
(create_view (object_reference name: (identifier) @name) (keyword_as) @body) @definition.struct
(create_materialized_view (object_reference name: (identifier) @name) (keyword_as) @body) @definition.struct
(create_type (object_reference name: (identifier) @name)) @definition.type
(create_function
  (object_reference name: (identifier) @name)
  (function_arguments) @parameters
  (function_body) @body) @definition.function
(create_index column: (identifier) @name) @definition.constant
(create_sequence (object_reference name: (identifier) @name)) @definition.variable
(create_schema (identifier) @name) @definition.module
(create_table (column_definitions (column_definition name: (identifier) @name) @definition.field))

(statement . (_) @wrapped .) @wrapper

(function_arguments (function_argument . (identifier) @parameter)) @parameters
(function_arguments (function_argument . (identifier) @parameter.optional (keyword_default))) @parameters

[(comment) (marginalia)] @comment
