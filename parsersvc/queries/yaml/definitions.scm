; An outline: the keys of the first two levels. A key of several things is a place, another a field.
(document
  (block_node
    (block_mapping
      (block_mapping_pair key: (_) @name value: (block_node (block_mapping)) @body) @definition.module)))
(document
  (block_node
    (block_mapping
      (block_mapping_pair key: (_) @name value: (block_node (block_sequence)) @body) @definition.module)))
(document
  (block_node
    (block_mapping
      (block_mapping_pair key: (_) @name) @definition.field)))
(document
  (block_node
    (block_mapping
      (block_mapping_pair
        value: (block_node
          (block_mapping
            (block_mapping_pair key: (_) @name value: (block_node (block_mapping)) @body) @definition.module))))))
(document
  (block_node
    (block_mapping
      (block_mapping_pair
        value: (block_node
          (block_mapping
            (block_mapping_pair key: (_) @name) @definition.field))))))

(comment) @comment
