"""What other libraries and other habits call the keys of a recipe, so that a wrong key leads to the right one.

The names are those of Darts, NeuralForecast, GluonTS, skforecast, PyTorch Forecasting, scikit-learn and Keras.
"""

_CALLED = {
    "source": "path file filename filepath file_path csv data_path dataset data_source input_file url",
    "time": "timestamp datetime date ds time_column time_col time_idx index timestamps",
    "every": "freq frequency interval step_size sampling_rate sampling",
    "targets": "y target_column target_columns value_cols endog response",
    "inputs": "x features feature_columns columns past_covariates hist_exog_list variables",
    "known_future": "future_covariates futr_exog_list exog feat_dynamic_real time_varying_known_reals",
    "static": "static_covariates stat_exog_list feat_static_cat static_categoricals",
    "series": "unique_id item_id series_id group groups group_ids group_cols id id_column",
    "input_steps": (
        "lookback look_back window window_size window_length input_size input_chunk_length n_steps "
        "context_length seq_len seq_length sequence_length lags timesteps time_steps n_in history"
    ),
    "output_steps": (
        "horizon h steps ahead output_chunk_length forecast_length forecast_horizon fh n_out "
        "prediction_length pred_len steps_ahead n_steps_out"
    ),
    "encoder_units": (
        "units hidden_size hidden_dim hidden_units hidden_layers lstm_units rnn_units layers num_layers "
        "n_rnn_layers encoder_layers encoder_n_layers encoder_hidden_size num_cells"
    ),
    "decoder_units": "decoder_layers decoder_hidden_size",
    "latent_dim": "latent_size bottleneck code_size encoding_dim",
    "cell": "rnn_type cell_type rnn",
    "learning_rate": "lr learn_rate step_size alpha",
    "epochs": "n_epochs max_epochs num_epochs max_steps iterations",
    "batch_size": "batch bs train_batch_size",
    "patience": "early_stopping early_stop early_stop_patience_steps early_stopping_patience",
    "clip_norm": "gradient_clip_val clipnorm grad_clip clip max_grad_norm",
    "loss": "loss_fn loss_function objective criterion",
    "seed": "random_state random_seed",
    "split": "train_split validation_split test_size val_size train_size validation",
    "scaling": "scaler scaler_type normalization normalisation standardize preprocessing",
    "levels": "level quantiles confidence prediction_intervals alphas intervals_levels",
    "labels": "y_true anomalies is_anomaly anomaly_column",
}
KEYS_OF: dict[str, list[str]] = {}
for _key, _names in _CALLED.items():
    for _name in _names.split():
        KEYS_OF.setdefault(_name, []).append(_key)
