; Parameters without end.
(parameter_list (variadic_parameter) @parameter.variadic.unnamed) @parameters
