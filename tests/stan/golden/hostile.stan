// data ~ `lambda` + y.1 + (`lambda` | `Größe\n*/ }`) + (1 | 温度)
//
// gaussian family, identity link; 48 rows, 4 levels of Größe\n*/ }, 3 levels
// of 温度
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma / sqrt(weights))
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of Größe\n*/ } integrated
// out, in sums over rows that are formed once, so that its cost does not grow
// with the number of rows. That u is drawn from its exact distribution given
// the parameters in generated quantities.
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   D, c: 1, X, y around their means, by root_weights; y - X * beta = D * c
//   DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level
//   z: u by a root of its covariance matrix
//   L_group: Cholesky factor of cor_group
//   r: y - X * beta - Z * u of the effects that are sampled
//   Zr, rr: Z' * r of each level; r' * r less what u explains
//   R: a root of Z' * Z; the columns of Z * inverse(R) are orthogonal
//   zz: of each level, their products
//   Lambda: Cholesky factor of the covariance matrix of R * u, over sigma
//   L: of each level, L * L' = Lambda' * zz * Lambda + I
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // R, R' * R = S, from the last column on: its product with a lower triangular
  // root of a covariance matrix then keeps its digits.
  matrix root_from_last(matrix S) {
    int k = rows(S);
    array[k] int back = reverse(linspaced_int_array(k, 1, k));
    // a little more, lest it be singular: columns may depend on others, or be 0
    matrix[k, k] T = add_diag(S, 1e-10 * diagonal(S) + 1e-100);
    return cholesky_decompose(T[back, back])[back]';
  }
  // L of all levels at once, L * L' = Lambda' * zz * Lambda + I, and below it
  // w', L * w = Lambda' * Zr.
  array[,] vector cholesky_by_level(matrix zz, matrix Zr, matrix Lambda) {
    int k = cols(Zr);
    int J = rows(Zr);
    array[k + 1, k] vector[J] L = rep_array(rep_vector(0, J), k + 1, k);
    for (h in 1 : k) {
      for (i in h : k + 1) {
        vector[J] m = i > k ? Zr * Lambda[ : , h]
                      : zz * to_vector(Lambda[ : , i] * Lambda[ : , h]');
        for (p in 1 : h - 1) {
          m -= L[i, p] .* L[h, p];
        }
        L[i, h] = i == h ? sqrt(1 + m) : m ./ L[h, h];
      }
    }
    return L;
  }
  // v of all levels, L' * v being normal around w with deviation sigma.
  matrix draw_by_level_rng(array[,] vector L, real sigma) {
    int k = dims(L)[2];
    int J = dims(L)[3];
    matrix[J, k] v;
    for (h in 1 : k) {
      int i = k + 1 - h;
      v[ : , i] = L[k + 1, i]
                  + sigma * to_vector(normal_rng(zeros_vector(J), 1));
      for (p in i + 1 : k) {
        v[ : , i] -= L[p, i] .* v[ : , p];
      }
      v[ : , i] ./= L[i, i];
    }
    return v;
  }
}
data {
  int<lower=1> N; // rows
  vector[N] y; // data
  matrix[N, 2] X; // lambda, y.1
  vector<lower=0>[N] weights; // the residual variance is sigma^2 / weights
  int<lower=1> N_Groe; // levels of Größe\n*/ }
  array[N] int<lower=1, upper=N_Groe> level_Groe; // of each row
  int<lower=1> N_2; // levels of 温度
  array[N] int<lower=1, upper=N_2> level_2; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  vector<lower=0>[2] prior_b_scale; // 4.388, 3.864
  vector<lower=0>[2] prior_sd_Groe_scale; // 4.352, 4.346
  real<lower=0> prior_sd_2_scale; // 4.352
  real<lower=0> prior_sigma_scale; // 4.352
}
transformed data {
  row_vector[2] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 2] X_c = X - rep_matrix(X_means, N);
  vector[N] root_weights = sqrt(weights);
  real y_mean = mean(y);
  matrix[N, 4] D = append_col(append_col(ones_vector(N), X_c), y - y_mean);
  D = diag_pre_multiply(root_weights, D);
  matrix[4, 4] DD = crossprod(D);
  // sums of products over the rows of each level
  // Z: (Intercept), lambda
  matrix[N, 2] Z_Groe = [ones_row_vector(N), X[ : , 1]']';
  Z_Groe = diag_pre_multiply(root_weights, Z_Groe);
  // in orthogonal columns, a covariate that is far from zero costs no digits
  matrix[2, 2] R = root_from_last(crossprod(Z_Groe));
  matrix[2, 2] R_inv = inverse(R);
  Z_Groe = Z_Groe * R_inv;
  array[N_Groe] matrix[2, 2] ZZ_Groe = rep_array(rep_matrix(0, 2, 2), N_Groe);
  matrix[2 * N_Groe, 4] ZD_Groe = rep_matrix(0, 2 * N_Groe, 4);
  vector[N] Z_2 = root_weights;
  vector[N_2] ZZ_2 = zeros_vector(N_2);
  matrix[N_2, 4] ZD_2 = rep_matrix(0, N_2, 4);
  matrix[2 * N_Groe, N_2] cross_Groe_2 = rep_matrix(0, 2 * N_Groe, N_2);
  for (n in 1 : N) {
    ZZ_Groe[level_Groe[n]] += Z_Groe[n]' * Z_Groe[n];
    for (i in 1 : 2) {
      int j = (i - 1) * N_Groe + level_Groe[n];
      ZD_Groe[j] += Z_Groe[n, i] * D[n];
    }
    ZZ_2[level_2[n]] += square(Z_2[n]);
    ZD_2[level_2[n]] += Z_2[n] * D[n];
    for (i in 1 : 2) {
      int j = (i - 1) * N_Groe + level_Groe[n];
      cross_Groe_2[j, level_2[n]] += Z_Groe[n, i] * Z_2[n];
    }
  }
  matrix[N_Groe, 4] zz; // each level in a row
  for (j in 1 : N_Groe) {
    zz[j] = to_row_vector(ZZ_Groe[j]);
  }
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[2] b; // lambda, y.1
  vector<lower=0>[2] sd_Groe; // (Intercept), lambda
  cholesky_factor_corr[2] L_Groe; // of their correlations
  real<lower=0> sd_2;
  vector[N_2] z_2; // standardised effects
  real<lower=0> sigma;
}
transformed parameters {
  vector[N_2] u_2 = sd_2 * z_2;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // Größe\n*/ }
  sd_Groe ~ student_t(3, 0, prior_sd_Groe_scale);
  L_Groe ~ lkj_corr_cholesky(2);
  // 温度
  sd_2 ~ student_t(3, 0, prior_sd_2_scale);
  z_2 ~ std_normal();
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // data, with u of Größe\n*/ } integrated out
  {
    vector[4] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_Groe] Zr = ZD_Groe * c - cross_Groe_2 * u_2;
    matrix[2, 2] root = diag_pre_multiply(sd_Groe / sigma, L_Groe);
    matrix[2, 2] Lambda = cholesky_decompose(tcrossprod(R * root));
    array[3, 2] vector[N_Groe] L = cholesky_by_level(zz,
                                     to_matrix(Zr, N_Groe, 2), Lambda);
    real rr = dot_product(c, DD * c);
    rr -= 2 * dot_product(u_2, ZD_2 * c);
    rr += dot_product(ZZ_2, square(u_2));
    for (i in 1 : 2) {
      rr -= dot_self(L[3, i]);
    }
    target += -sum(log(L[1, 1] .* L[2, 2]));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
    target += sum(log(root_weights));
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_Groe = multiply_lower_tri_self_transpose(L_Groe);
  matrix[N_Groe, 2] u_Groe;
  {
    vector[4] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_Groe] Zr = ZD_Groe * c - cross_Groe_2 * u_2;
    matrix[2, 2] root = diag_pre_multiply(sd_Groe / sigma, L_Groe);
    matrix[2, 2] Lambda = cholesky_decompose(tcrossprod(R * root));
    array[3, 2] vector[N_Groe] L = cholesky_by_level(zz,
                                     to_matrix(Zr, N_Groe, 2), Lambda);
    u_Groe = draw_by_level_rng(L, sigma) * (R_inv * Lambda)';
  }
}
